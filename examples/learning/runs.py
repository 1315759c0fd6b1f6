# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Runs that leave a file each and are not repeated; the options that they are run with."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from topreward_ros.files import ResultsError, StoredResults, read_json

# Options that select runs, and are in the names of their files
SELECTION = ('folder', 'seeds', 'rewards', 'reward_model')
OPTIONS = 'options.json'


def seed_of(text: str) -> int:
    """Return a seed, as a type for argparse."""
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f'{text}; expected 0 or more')
    return value


def begin(folder: Path, options: argparse.Namespace) -> None:
    """Make the folder of an experiment, and keep its options there.

    Raises ResultsError for the folder of an experiment with other options, as its runs, and what
    they have written, cannot be compared with these.
    """
    _stored(folder / OPTIONS, options).finish()


def once(file: Path, options: argparse.Namespace, run: Callable[[], Mapping[str, Any]]) -> None:
    """Do a run and write its result, unless its file is there.

    Raises ResultsError for a file of other options.
    """
    stored = _stored(file, options)
    if stored.read() is None:
        stored.finish(run())


def results_of(folder: Path, key: str) -> list[dict[str, Any]]:
    """Return the results in a folder that have this key, also those of other processes."""
    found = [read_json(file) for file in sorted(folder.glob('*-*.json'))]
    return [each for each in found if key in each]


def _stored(file: Path, options: argparse.Namespace) -> StoredResults:
    asked = {name: value for name, value in vars(options).items() if name not in SELECTION}
    stored = StoredResults(file, asked)
    if (other := stored.other()) is not None:
        raise ResultsError(f'{file} is of other options, {other}: choose another folder')
    return stored
