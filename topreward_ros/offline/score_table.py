# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Scores as rows: what one Progress message says, kept as CSV."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


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
    part = file.with_name(f'.{file.name}.part')
    with part.open('w', newline='', encoding='utf-8') as stream:
        table = csv.writer(stream)
        table.writerow(field.name for field in dataclasses.fields(Row))
        table.writerows(dataclasses.astuple(row) for row in rows)
    part.rename(file)
