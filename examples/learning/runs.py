# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Runs that leave a file each and are not repeated."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from topreward_ros.files import ResultsError, StoredResults, read_json

# Options that select runs or are in their names
SELECTION = ('folder', 'seeds', 'rewards', 'reward_model', 'node', 'image_topic')


def once(file: Path, options: argparse.Namespace, run: Callable[[], Mapping[str, Any]]) -> None:
    """Do a run and write its result, unless its file is there.

    Raises ResultsError for a file of other options.
    """
    asked = {name: value for name, value in vars(options).items() if name not in SELECTION}
    stored = StoredResults(file, asked)
    if stored.other() is not None:
        raise ResultsError(f'{file} is of other options, {stored.other()}: choose another folder')
    if stored.read() is None:
        stored.finish(run())


def results_of(folder: Path, key: str) -> list[dict[str, Any]]:
    """Return the results in a folder that have this key, also those of other processes."""
    found = [read_json(file) for file in sorted(folder.glob('*-*.json'))]
    return [each for each in found if key in each]
