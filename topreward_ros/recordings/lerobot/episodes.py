# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Episode metadata of LeRobot datasets: a file per episode (2.0, 2.1) or shared files (3.0)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .files import INFO, DatasetError, DatasetFiles, import_pyarrow, reading
from .info import Info, Json, is_number, is_whole

SUCCESS = ('next.success', 'success')  # names of the feature
# Statistics that differ between any two episodes
IDENTIFYING_STATISTICS = [
    f'stats/{name}/{of}' for name in ('action', 'observation.state') for of in ('mean', 'std')
]


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


@dataclass(frozen=True)
class VideoPart:
    """The part of a video that holds an episode, from start to end [s]; end None: to its end."""

    file: str
    start: float = 0.0
    end: float | None = None


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
        tasks = tuple(task for task in _listed(row.get('tasks')) if isinstance(task, str))
        records.append(Record(index, count, first, tasks, _success(row), row))
    if not records:
        raise DatasetError(f'{files.name} has no episodes')
    return records


def read_tasks(files: DatasetFiles, info: Info) -> dict[int, str]:
    """Return the task texts by index."""
    if not info.shares_files:
        rows = json_lines(files, 'meta/tasks.jsonl')
        return {row['task_index']: row['task'] for row in rows if is_whole(row.get('task_index'))}
    file = files.path('meta/tasks.parquet')
    with reading(file):
        table = import_pyarrow().parquet.ParquetFile(file).read()
        # The texts are the index of a pandas table, which may be unnamed
        texts = 'task' if 'task' in table.column_names else '__index_level_0__'
        pairs = zip(table['task_index'].to_pylist(), table[texts].to_pylist(), strict=True)
        return dict(pairs)


def data_file(info: Info, record: Record) -> str:
    """Return the path of the table that holds the episode's frames."""
    if info.shares_files:
        return _fill(info, info.data_path, record, **_place(info, record, 'data'))
    return _fill(info, info.data_path, record)


def video_part(info: Info, record: Record, camera: str) -> VideoPart:
    """Return which part of the camera's videos holds the episode."""
    if not info.shares_files:
        return VideoPart(_fill(info, info.video_path, record, video_key=camera))
    key = f'videos/{camera}'
    file = _fill(info, info.video_path, record, video_key=camera, **_place(info, record, key))
    start, end = (record.row.get(f'{key}/{side}_timestamp') for side in ('from', 'to'))
    if not (is_number(start) and is_number(end) and 0 <= start <= end):
        raise DatasetError(
            f'{info.name}: the metadata of episode {record.index} gives no valid part of '
            f'{file}: from {start} s to {end} s'
        )
    return VideoPart(file, float(start), float(end))


def json_lines(files: DatasetFiles, relative: str) -> list[Json]:
    """Return the objects of a JSON Lines file; raises DatasetError."""
    try:
        lines = files.path(relative).read_text(encoding='utf-8').split('\n')
        rows = [json.loads(line) for line in lines if line.strip()]
    except (OSError, ValueError) as error:
        raise DatasetError(f'{files.name}: {relative} cannot be read: {error}') from error
    if not all(isinstance(row, dict) for row in rows):
        raise DatasetError(f'{files.name}: {relative} holds lines that are not JSON objects')
    return rows


def _rows(files: DatasetFiles, info: Info) -> list[Json]:
    """Read meta/episodes.jsonl, with success from the statistics."""
    rows = json_lines(files, 'meta/episodes.jsonl')
    stats = 'meta/episodes_stats.jsonl'
    if any(key in info.features for key in SUCCESS) and files.has(stats):
        by_index = {
            str(row.get('episode_index')): row.get('stats') for row in json_lines(files, stats)
        }
        for row in rows:
            of_episode = by_index.get(str(row.get('episode_index')))
            for key in SUCCESS:
                feature = of_episode.get(key) if isinstance(of_episode, dict) else None
                if isinstance(feature, dict):
                    row[f'stats/{key}/max'] = feature.get('max')
    return rows


def _shared_rows(files: DatasetFiles, info: Info) -> Iterator[Json]:
    """Read meta/episodes, with the statistics of success and those that identify episodes."""
    paths = sorted((files.root / 'meta' / 'episodes').glob('*/*.parquet'))
    if not paths:
        raise DatasetError(f'{info.name}: meta/episodes holds no parquet table')
    statistics = {*IDENTIFYING_STATISTICS, *(f'stats/{key}/max' for key in SUCCESS)}
    for path in paths:
        yield from _table(path, statistics)


def _table(path: Path, statistics: set[str]) -> list[Json]:
    with reading(path), import_pyarrow().parquet.ParquetFile(path) as file:
        names = file.schema_arrow.names
        columns = [name for name in names if not name.startswith('stats/') or name in statistics]
        return file.read(columns=columns).to_pylist()


def _success(row: Json) -> bool | None:
    """Return success from the episode's row, else from the maximum over its frames, else None."""
    for key in ('success', *(f'stats/{feature}/max' for feature in SUCCESS)):
        if row.get(key) is not None:
            try:
                values = np.asarray(row[key], dtype=np.float64)
            except (TypeError, ValueError):
                continue
            if values.size and np.isfinite(values).all():
                return bool(values.max() > 0)
    return None


def _place(info: Info, record: Record, key: str) -> dict[str, int]:
    place = {name: record.row.get(f'{key}/{name}') for name in ('chunk_index', 'file_index')}
    if not all(is_whole(value) for value in place.values()):
        raise DatasetError(
            f'{info.name}: the metadata of episode {record.index} does not give the file of its '
            f'{key}'
        )
    return place  # type: ignore[return-value]


def _fill(info: Info, template: str, record: Record, **values: int | str) -> str:
    chunk = record.index // info.chunks_size
    try:
        return template.format(episode_chunk=chunk, episode_index=record.index, **values)
    except (LookupError, ValueError, AttributeError, TypeError) as error:
        raise DatasetError(
            f'{info.name}: {INFO} has an invalid path template: {template!r}'
        ) from error


def _whole(row: Json, key: str, files: DatasetFiles) -> int:
    value = row.get(key)
    if not is_whole(value) or value < 0:
        raise DatasetError(
            f'{files.name}: the metadata holds an episode whose {key} is {value!r}; expected a '
            'whole number'
        )
    return int(value)


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]
