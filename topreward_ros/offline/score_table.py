# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Scores as rows: what one Progress message says, kept as CSV."""

from __future__ import annotations

import csv
import dataclasses
import typing
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .whole_files import whole_file


@dataclass(frozen=True)
class Row:
    """A score; time [s] is of the newest image in it, since the first one of the recording."""

    time: float
    episode: int
    frames: int
    log_prob: float
    log_prob_false: float
    progress: float
    reward: float
    normalization: str
    latency: float
    task: str


def write_rows(file: Path, rows: Iterable[Row]) -> None:
    """Write a CSV with a header; the file appears when it is whole."""
    with whole_file(file) as part, part.open('w', newline='', encoding='utf-8') as stream:
        table = csv.writer(stream)
        table.writerow(field.name for field in dataclasses.fields(Row))
        table.writerows(dataclasses.astuple(row) for row in rows)


def read_rows(file: Path) -> list[Row]:
    """What `write_rows` wrote, to the last digit; ValueError for another table."""
    kinds = typing.get_type_hints(Row)
    with file.open(newline='', encoding='utf-8') as stream:
        table = csv.DictReader(stream)
        if table.fieldnames != list(kinds):
            raise ValueError(f'{file} has the columns {table.fieldnames}; expected {list(kinds)}')
        return [Row(**{name: kinds[name](text) for name, text in row.items()}) for row in table]
