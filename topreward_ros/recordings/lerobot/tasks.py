# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The tasks of an episode of a LeRobot dataset: listed in its metadata, or a number per frame."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from .episodes import TASK_RANGE, Record, data_file, json_lines
from .files import DatasetError, DatasetFiles, open_table
from .frames import read_columns
from .info import Info, is_number, is_whole

TABLE, TABLE_OF_LINES = 'meta/tasks.parquet', 'meta/tasks.jsonl'
# Notes: the same of all episodes, so that they are printed once
CHANGES = 'an episode whose task changes is scored in parts, one for each task'
ALTERNATES = 'an episode whose tasks alternate is scored for the task of its first frame'
UNKNOWN = 'the tasks of frames are not known, so an episode has the first that it lists'


@dataclass(frozen=True)
class TaskSpan:
    """The frames from first to end (excluded) of an episode, which have one task; '': unknown."""

    task: str
    first: int
    end: int


class Tasks:
    """The tasks of a dataset's episodes."""

    def __init__(self, files: DatasetFiles, info: Info) -> None:
        self._files = files
        self._info = info
        self._table = TABLE if info.shares_files else TABLE_OF_LINES
        self._newest = ''
        self._columns: list[np.ndarray] = []

    def spans(self, record: Record) -> tuple[list[TaskSpan], str]:
        """Return the spans of an episode in order, and what a user should know about them.

        A single listed task is the episode's. Of several, and of none, each frame has its own by
        `task_index`. Where tasks alternate, such as paraphrases, that of the first frame counts.
        """
        if len(record.tasks) == 1:
            return [TaskSpan(record.tasks[0], 0, record.frames)], ''
        try:
            spans = [TaskSpan(self._text(number), a, b) for number, a, b in self._runs(record)]
        except DatasetError as error:
            first, *_ = [*record.tasks, '']
            return [TaskSpan(first, 0, record.frames)], f'{UNKNOWN}: {error}'
        tasks = {span.task for span in spans}
        if len(tasks) == len(spans):
            return spans, CHANGES if len(spans) > 1 else ''
        return [TaskSpan(spans[0].task, 0, record.frames)], ALTERNATES

    def _text(self, number: int) -> str:
        if number not in self._texts:
            raise DatasetError(f'{self._table} has no task {number}')
        return self._texts[number]

    @cached_property
    def _texts(self) -> dict[int, str]:
        """The task texts by their numbers; raises DatasetError."""
        if not self._files.has(self._table):  # the metadata is downloaded already
            raise DatasetError(f'{self._table} is missing')
        if self._info.shares_files:
            rows = _rows(self._files)
        else:
            lines = json_lines(self._files, TABLE_OF_LINES)
            rows = [(row.get('task_index'), row.get('task')) for row in lines]
        return {number: text for number, text in rows if is_whole(number) and isinstance(text, str)}

    def _runs(self, record: Record) -> list[tuple[int, int, int]]:
        """Return (number of the task, first frame, end) of frames in a row with the same task."""
        least, most = (_single(record.row.get(name)) for name in TASK_RANGE)
        if least is not None and least == most:
            return [(least, 0, record.frames)]
        numbers = self._numbers(record)
        bounds = [0, *(np.flatnonzero(np.diff(numbers)) + 1), len(numbers)]
        return [(int(numbers[a]), int(a), int(b)) for a, b in pairwise(bounds)]

    def _numbers(self, record: Record) -> np.ndarray:
        """Return the number of each frame's task, (frames,); a shared table is read once."""
        relative = data_file(self._info, record)
        if self._newest != relative:
            table = self._files.path(relative)
            self._columns = read_columns(table, ('episode_index', 'task_index'))
            self._newest = relative
        episodes, numbers = self._columns
        own = numbers[episodes == record.index]
        if len(own) != record.frames or not len(own) or not np.isfinite(own).all():
            raise DatasetError(f'{relative} has {len(own)} of its {record.frames} task numbers')
        return own


def _single(value: object) -> int | None:
    """Return a statistic, which is a whole number or a list of one; None for anything else."""
    number = value[0] if isinstance(value, list) and len(value) == 1 else value
    return int(number) if is_number(number) and float(number).is_integer() else None


def _rows(files: DatasetFiles) -> list[tuple[object, object]]:
    """Return the numbers and texts; the texts are a column, or the index of a pandas table."""
    file = files.path(TABLE)
    with open_table(file) as parquet:
        table = parquet.read()
        pandas = table.schema.pandas_metadata
        index = pandas.get('index_columns', ()) if isinstance(pandas, dict) else ()
        named = ['task', '__index_level_0__', *(name for name in index if isinstance(name, str))]
        texts = next((name for name in named if name in table.column_names), None)
        if texts is None:
            raise DatasetError(f'{file} has no column of task texts, such as task')
        columns = (table['task_index'].to_pylist(), table[texts].to_pylist())
        return list(zip(*columns, strict=True))
