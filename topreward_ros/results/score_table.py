# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Read and write scores as CSV, a row per Progress message."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from topreward_ros.errors import ModelError
from topreward_ros.files import ResultsError, whole_file
from topreward_ros.scoring.score import Score

from .table_text import from_cell, to_cell

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
# Columns for models that give such values, each with its attribute of Score
MODEL_COLUMNS = {'model_progress': 'progress', 'model_success': 'success'}
REWARD_MODEL = 'reward_model'  # which reward model the scores are of; not in older tables
PART_PREFIX = 'part.'  # of the columns of parts of a combined reward


@dataclass(frozen=True)
class Row:
    """A score with its progress and reward.

    time [s] is of its newest image, since the first one of the recording; progress, reward and
    normalization are as in Progress.msg; latency [s]. reward_model is that of the scorer, empty
    where an older table does not tell.
    """

    time: float
    episode: int
    score: Score
    progress: float
    reward: float
    normalization: str
    latency: float
    task: str
    reward_model: str = ''

    def cells(self) -> dict[str, object]:
        """Return the values by column; None for values that the model does not give."""
        score = self.score
        cells = {name: getattr(self, name, None) for name in COLUMNS}
        for name in ('frames', 'log_prob', 'log_prob_false'):
            cells[name] = getattr(score, name)
        cells['task'] = to_cell(self.task)
        cells[REWARD_MODEL] = to_cell(self.reward_model) or None
        cells |= {column: getattr(score, name) for column, name in MODEL_COLUMNS.items()}
        cells |= {PART_PREFIX + name: value for name, value in score.parts.items()}
        return cells


def write_rows(file: Path, rows: Iterable[Row]) -> None:
    """Write a CSV with a header; the file appears when it is complete."""
    table = [row.cells() for row in rows]
    extra = dict.fromkeys(
        name
        for cells in table
        for name, value in cells.items()
        if name not in COLUMNS and value is not None
    )
    with whole_file(file) as part, part.open('w', newline='', encoding='utf-8') as stream:
        writer = csv.writer(stream)
        columns = [*COLUMNS, *extra]
        writer.writerow(columns)
        writer.writerows([cells.get(name) for name in columns] for cells in table)


def read_rows(file: Path) -> list[Row]:
    """Read a file of `write_rows` without loss; raises ResultsError for another table."""
    with file.open(newline='', encoding='utf-8') as stream:
        table = csv.DictReader(stream)
        try:
            names = list(table.fieldnames or ())
            extra = names[len(COLUMNS) :]
            named = {*MODEL_COLUMNS, REWARD_MODEL}
            known = all(name in named or name.startswith(PART_PREFIX) for name in extra)
            if names[: len(COLUMNS)] != list(COLUMNS) or not known:
                raise ResultsError(f'{file} has the columns {names}; expected {list(COLUMNS)}')
            return [_row(cells, extra) for cells in table]
        except (csv.Error, ValueError, TypeError, ModelError) as error:
            raise ResultsError(f'{file} is not a table of scores: {error}') from error


def _row(cells: dict[str, str], extra: Sequence[str]) -> Row:
    def number(name: str) -> float | None:
        text = cells.get(name)
        return float(text) if text else None

    parts = {
        name.removeprefix(PART_PREFIX): number(name)
        for name in extra
        if name.startswith(PART_PREFIX)
    }
    score = Score(
        frames=int(cells['frames']),
        log_prob=number('log_prob'),
        log_prob_false=number('log_prob_false'),
        parts={name: value for name, value in parts.items() if value is not None},
        **{name: number(column) for column, name in MODEL_COLUMNS.items()},
    )
    return Row(
        time=float(cells['time']),
        episode=int(cells['episode']),
        score=score,
        progress=float(cells['progress']),
        reward=float(cells['reward']),
        normalization=cells['normalization'],
        latency=float(cells['latency']),
        task=from_cell(cells['task']),
        reward_model=from_cell(cells.get(REWARD_MODEL) or ''),
    )
