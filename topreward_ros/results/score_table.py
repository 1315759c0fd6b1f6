# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Scores as rows: what one Progress message says, kept as CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from topreward_ros.files import whole_file
from topreward_ros.scoring.score import Score

COLUMNS = (
    'time',
    'episode',
    'frames',
    'log_prob',
    'log_prob_false',
    'progress',
    'reward',
    'normalization',
    'latency',
    'task',
)
# Columns that only tables of models that say such things have
OF_THE_MODEL = {'model_progress': 'progress', 'model_success': 'success'}
PART = 'part.'  # before the name of a part of a combined reward


@dataclass(frozen=True)
class Row:
    """A score and what became of it.

    time [s] is of the newest image in it, since the first one of the recording; progress, reward
    and normalization as in Progress.msg; latency [s].
    """

    time: float
    episode: int
    score: Score
    progress: float
    reward: float
    normalization: str
    latency: float
    task: str

    def cells(self) -> dict[str, object]:
        """Values by their columns; what the model does not say has an empty cell."""
        score = self.score
        cells = {name: getattr(self, name, None) for name in COLUMNS}
        for name in ('frames', 'log_prob', 'log_prob_false'):
            cells[name] = getattr(score, name)
        cells |= {column: getattr(score, name) for column, name in OF_THE_MODEL.items()}
        cells |= {PART + name: value for name, value in score.parts.items()}
        return cells


def write_rows(file: Path, rows: Iterable[Row]) -> None:
    """Write a CSV with a header; the file appears when it is whole."""
    table = [row.cells() for row in rows]
    more = dict.fromkeys(
        name
        for cells in table
        for name, value in cells.items()
        if name not in COLUMNS and value is not None
    )
    with whole_file(file) as part, part.open('w', newline='', encoding='utf-8') as stream:
        writer = csv.writer(stream)
        columns = [*COLUMNS, *more]
        writer.writerow(columns)
        writer.writerows([cells.get(name) for name in columns] for cells in table)


def read_rows(file: Path) -> list[Row]:
    """Read what `write_rows` wrote, to the last digit; ValueError for another table."""
    with file.open(newline='', encoding='utf-8') as stream:
        table = csv.DictReader(stream)
        names = list(table.fieldnames or ())
        more = names[len(COLUMNS) :]
        known = all(name in OF_THE_MODEL or name.startswith(PART) for name in more)
        if names[: len(COLUMNS)] != list(COLUMNS) or not known:
            raise ValueError(f'{file} has the columns {names}; expected {list(COLUMNS)}')
        return [_row(cells, more) for cells in table]


def _row(cells: dict[str, str], more: Sequence[str]) -> Row:
    def number(name: str) -> float | None:
        text = cells.get(name)
        return float(text) if text else None

    parts = {name.removeprefix(PART): number(name) for name in more if name.startswith(PART)}
    score = Score(
        frames=int(cells['frames']),
        log_prob=number('log_prob'),
        log_prob_false=number('log_prob_false'),
        parts={name: value for name, value in parts.items() if value is not None},
        **{name: number(column) for column, name in OF_THE_MODEL.items()},
    )
    return Row(
        time=float(cells['time']),
        episode=int(cells['episode']),
        score=score,
        progress=float(cells['progress']),
        reward=float(cells['reward']),
        normalization=cells['normalization'],
        latency=float(cells['latency']),
        task=cells['task'],
    )
