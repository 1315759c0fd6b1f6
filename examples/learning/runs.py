# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Runs that leave a file each and are not repeated; the options that they are run with."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from topreward_ros.files import ResultsError, StoredResults, read_json

# Options that select runs, and are in the names of their files
SELECTION = ('folder', 'seeds', 'rewards', 'reward_model')
OPTIONS = 'options.json'


def positive(text: str) -> int:
    """Return a count of at least 1, as a type for argparse."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f'{text}; expected 1 or more')
    return value


def seed_of(text: str) -> int:
    """Return a seed, as a type for argparse."""
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f'{text}; expected 0 or more')
    return value


def weight_of(text: str) -> float:
    """Return a weight of at least 0, as a type for argparse."""
    value = float(text)
    if not (math.isfinite(value) and value >= 0):
        raise argparse.ArgumentTypeError(f'{text}; expected a number of 0 or more')
    return value


def begin(folder: Path, options: argparse.Namespace) -> None:
    """Make the folder of an experiment, and keep its options there.

    Raises ResultsError for the folder of an experiment with other options, as its runs, and what
    they have written, cannot be compared with these.
    """
    stored = StoredResults(folder / OPTIONS, _asked(options))
    if (other := stored.other()) is not None:
        raise ResultsError(f'{folder} is of other options, {other}: choose another folder')
    stored.finish()


def once(file: Path, options: argparse.Namespace, run: Callable[[], Mapping[str, Any]]) -> None:
    """Do a run and write its result, unless its file is there.

    Raises ResultsError for a file of other options.
    """
    stored = StoredResults(file, _asked(options))
    if (other := stored.other()) is not None:
        raise ResultsError(f'{file} is of other options, {other}: choose another folder')
    if stored.read() is None:
        stored.finish(run())


def results_of(folder: Path, key: str) -> list[dict[str, Any]]:
    """Return the results in a folder that have this key, also those of other processes."""
    found = [read_json(file) for file in sorted(folder.glob('*-*.json'))]
    return [each for each in found if key in each]


def _asked(options: argparse.Namespace) -> dict[str, Any]:
    return {name: value for name, value in vars(options).items() if name not in SELECTION}
