# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Episode metadata of LeRobot datasets: a file per episode (2.0, 2.1) or shared files (3.0)."""

from __future__ import annotations

import reprlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from topreward_ros.json_files import read_json_lines

from .files import DatasetError, DatasetFiles, open_table
from .info import Info, Json, is_whole
from .templates import fill

SUCCESS = ('next.success', 'success')  # names of the feature
# Statistics that differ between any two episodes
IDENTIFYING_STATISTICS = [
    f'stats/{name}/{of}' for name in ('action', 'observation.state') for of in ('mean', 'std')
]
TASK_RANGE = ('stats/task_index/min', 'stats/task_index/max')
FRAME_STATISTICS = (*(f'stats/{key}/max' for key in SUCCESS), *TASK_RANGE)


@dataclass(frozen=True)
class Record:
    """Metadata of an episode.

    first_index is the number of its first frame in the dataset; None where only the frame table
    has it.
    """

    index: int
    frames: int
    first_index: int | None
    tasks: tuple[str, ...]
    success: bool | None
    row: Json


def read_records(files: DatasetFiles, info: Info) -> list[Record]:
    """Return the episodes ordered by index; raises DatasetError where the table is invalid."""
    rows = sorted(
        _shared_rows(files, info) if info.shares_files else _rows(files, info),
        key=lambda row: _whole(row, 'episode_index', files),
    )
    records: list[Record] = []
    for row in rows:
        first: int | None = None
        if info.shares_files:
            first = _whole(row, 'dataset_from_index', files)
            count = _whole(row, 'dataset_to_index', files) - first
        else:
            count = _whole(row, 'length', files)
        index = row['episode_index']
        if count < 0 or (records and records[-1].index == index):
            raise DatasetError(
                f'{files.name}: episode {index} is in the metadata twice, or has a negative length'
            )
        texts = (task for task in _listed(row.get('tasks')) if isinstance(task, str))
        tasks = tuple(dict.fromkeys(text for text in texts if text.strip()))
        records.append(Record(index, count, first, tasks, _success(row), row))
    if not records:
        raise DatasetError(f'{files.name} has no episodes')
    return records


def data_file(info: Info, record: Record) -> str:
    """Return the path of the table that holds the episode's frames."""
    if info.shares_files:
        return fill(info.data_path, place(info, record, 'data'))
    return fill(info.data_path, own_place(info, record))


def json_lines(files: DatasetFiles, relative: str) -> Iterator[Json]:
    """Yield the objects of a JSON Lines file; raises DatasetError."""
    try:
        for row in read_json_lines(files.path(relative)):
            if not isinstance(row, dict):
                raise ValueError('a line is not a JSON object')
            yield row
    except (OSError, ValueError) as error:
        raise DatasetError(f'{files.name}: {relative} cannot be read: {error}') from error


def place(info: Info, record: Record, key: str) -> dict[str, int]:
    """Return the chunk and file index of the episode's data or video, which is key.

    Raises DatasetError where the metadata does not give them.
    """
    indices = {name: record.row.get(f'{key}/{name}') for name in ('chunk_index', 'file_index')}
    if not all(is_whole(value) and value >= 0 for value in indices.values()):
        raise DatasetError(
            f'{info.name}: the metadata of episode {record.index} does not give the file of its '
            f'{key}'
        )
    return indices  # type: ignore[return-value]


def own_place(info: Info, record: Record) -> dict[str, int]:
    """Return the chunk and index of an episode that has files of its own."""
    return {
        'episode_chunk': record.index // info.chunks_size,
        'episode_index': record.index,
    }


def _rows(files: DatasetFiles, info: Info) -> list[Json]:
    """Read meta/episodes.jsonl, with success from the statistics."""
    rows = list(json_lines(files, 'meta/episodes.jsonl'))
    stats = 'meta/episodes_stats.jsonl'
    if not files.has(stats):
        return rows
    by_index = {
        str(row.get('episode_index')): _read_statistics(row.get('stats'))
        for row in json_lines(files, stats)
    }
    return [{**row, **by_index.get(str(row.get('episode_index')), {})} for row in rows]


def _read_statistics(of_episode: object) -> Json:
    """Return the statistics that are read, named as in the columns of version 3.0."""
    statistics: Json = {}
    for column in FRAME_STATISTICS:
        _, feature, kind = column.split('/')
        values = of_episode.get(feature) if isinstance(of_episode, dict) else None
        if isinstance(values, dict):
            statistics[column] = values.get(kind)
    return statistics


def _shared_rows(files: DatasetFiles, info: Info) -> Iterator[Json]:
    """Read meta/episodes without most of the statistics."""
    paths = files.tables('meta/episodes')
    if not paths:
        raise DatasetError(f'{info.name}: meta/episodes holds no parquet table')
    for path in paths:
        yield from _table(path)


def _table(path: Path) -> list[Json]:
    statistics = {*IDENTIFYING_STATISTICS, *FRAME_STATISTICS}
    with open_table(path) as file:
        names = file.schema_arrow.names
        columns = [name for name in names if not name.startswith('stats/') or name in statistics]
        return file.read(columns=columns).to_pylist()


def _success(row: Json) -> bool | None:
    """Return success from the episode's row, else from the maximum over its frames, else None."""
    for key in ('success', *(f'stats/{feature}/max' for feature in SUCCESS)):
        if row.get(key) is not None:
            try:
                values = np.asarray(row[key], dtype=np.float64)
            except (OverflowError, TypeError, ValueError):
                continue
            if values.size and np.isfinite(values).all():
                return bool(values.max() > 0)
    return None


def _whole(row: Json, key: str, files: DatasetFiles) -> int:
    value = row.get(key)
    if not is_whole(value) or value < 0:
        raise DatasetError(
            f'{files.name}: the metadata holds an episode whose {key} is {reprlib.repr(value)}; '
            'expected a whole number'
        )
    return int(value)


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]
