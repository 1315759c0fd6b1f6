# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a person says of the episodes of a dataset, as the review page saves it."""

from __future__ import annotations

import reprlib
from collections.abc import Collection, Mapping
from pathlib import Path

from topreward_ros.files import ResultsError
from topreward_ros.json_files import read_json

from .frame_labels import VERDICTS

OVERRIDES_FILE = 'overrides.json'
DATASET, EPISODES = KEYS = ('dataset', 'episodes')
AGAIN = 'save it again from the review page, or remove it'


def read_overrides(file: Path, dataset: str, names: Collection[str]) -> Mapping[str, str]:
    """Return the verdicts by episode, none where there is no file.

    names are those of the episodes. Raises ResultsError for a file that is damaged, of another
    dataset, or of episodes that there are not.
    """
    if not file.exists():
        return {}
    try:
        content = read_json(file)
    except (OSError, ValueError) as error:
        raise ResultsError(f'{file} cannot be read as JSON: {error}; {AGAIN}') from error
    if not isinstance(content, dict) or set(content) != set(KEYS):
        raise ResultsError(
            f'{file} is not a file of overrides: expected an object with {" and ".join(KEYS)}; '
            f'{AGAIN}'
        )
    if content[DATASET] != dataset:
        raise ResultsError(
            f'{file} is of the dataset {reprlib.repr(content[DATASET])}, and this one is '
            f'{dataset!r}: give another file with --overrides'
        )
    verdicts = content[EPISODES]
    if not isinstance(verdicts, dict):
        raise ResultsError(f'{file}: episodes is not an object of names and verdicts; {AGAIN}')
    for name, verdict in verdicts.items():
        if name not in names:
            raise ResultsError(
                f'{file} is of {reprlib.repr(name)}, which {dataset} does not have: its episodes '
                f'are {min(names)} to {max(names)}; remove the line'
            )
        if verdict not in VERDICTS:
            raise ResultsError(
                f'{file} says {reprlib.repr(verdict)} of {name}; expected one of '
                f'{", ".join(VERDICTS)}'
            )
    return verdicts
