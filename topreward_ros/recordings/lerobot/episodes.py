# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a LeRobot dataset says of its episodes, a file for each (2.0, 2.1) or many in one (3.0)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .files import INFO, DatasetError, DatasetFiles, import_pyarrow, reading
from .info import Info, Json, is_number, is_whole

SUCCESS = ('next.success', 'success')  # features that tell it
# Statistics that no two episodes share
MARKS = [f'stats/{name}/{of}' for name in ('action', 'observation.state') for of in ('mean', 'std')]


@dataclass(frozen=True)
class Record:
    """What the metadata says of an episode.

    first_index is of its first frame in the dataset; None where only the frames' table tells.
    """

    index: int
    frames: int
    first_index: int | None
    tasks: tuple[str, ...]
    success: bool | None
    row: Json


@dataclass(frozen=True)
class VideoPart:
    """Where an episode is in a video: from its first frame to its end [s]; None: to the last."""

    file: str
    start: float = 0.0
    end: float | None = None


def read_records(files: DatasetFiles, info: Info) -> list[Record]:
    """The episodes in the order of their indices; DatasetError where the table is not sound."""
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
                f'{files.name}: episode {index} is in the metadata twice or upside down'
            )
        tasks = tuple(task for task in _listed(row.get('tasks')) if isinstance(task, str))
        records.append(Record(index, count, first, tasks, _success(row), row))
    if not records:
        raise DatasetError(f'{files.name} has no episodes')
    return records


def read_tasks(files: DatasetFiles, info: Info) -> dict[int, str]:
    """The task texts by their indices."""
    if not info.shares_files:
        rows = json_lines(files, 'meta/tasks.jsonl')
        return {row['task_index']: row['task'] for row in rows if is_whole(row.get('task_index'))}
    file = files.path('meta/tasks.parquet')
    with reading(file):
        table = import_pyarrow().parquet.ParquetFile(file).read()
        # The texts are the index of a pandas table, which may have no name.
        texts = 'task' if 'task' in table.column_names else '__index_level_0__'
        pairs = zip(table['task_index'].to_pylist(), table[texts].to_pylist(), strict=True)
        return dict(pairs)


def data_file(info: Info, record: Record) -> str:
    """The path of the table that holds the episode's frames."""
    if info.shares_files:
        return _fill(info, info.data_path, record, **_place(info, record, 'data'))
    return _fill(info, info.data_path, record)


def video_part(info: Info, record: Record, camera: str) -> VideoPart:
    """Where the episode is in the camera's videos."""
    if not info.shares_files:
        return VideoPart(_fill(info, info.video_path, record, video_key=camera))
    key = f'videos/{camera}'
    file = _fill(info, info.video_path, record, video_key=camera, **_place(info, record, key))
    start, end = (record.row.get(f'{key}/{side}_timestamp') for side in ('from', 'to'))
    if not (is_number(start) and is_number(end) and 0 <= start <= end):
        raise DatasetError(
            f'{info.name}: the metadata of episode {record.index} does not say where it is in '
            f'{file}: from {start} s to {end} s'
        )
    return VideoPart(file, float(start), float(end))


def json_lines(files: DatasetFiles, relative: str) -> list[Json]:
    """A file with an object a line."""
    try:
        lines = files.path(relative).read_text(encoding='utf-8').split('\n')
        rows = [json.loads(line) for line in lines if line.strip()]
    except (OSError, ValueError) as error:
        raise DatasetError(f'{files.name}: {relative} cannot be read: {error}') from error
    if not all(isinstance(row, dict) for row in rows):
        raise DatasetError(f'{files.name}: {relative} holds lines that are no objects')
    return rows


def _rows(files: DatasetFiles, info: Info) -> list[Json]:
    """meta/episodes.jsonl, with what the statistics say of success."""
    rows = json_lines(files, 'meta/episodes.jsonl')
    stats = 'meta/episodes_stats.jsonl'
    if any(key in info.features for key in SUCCESS) and files.has(stats):
        said = {str(row.get('episode_index')): row.get('stats') for row in json_lines(files, stats)}
        for row in rows:
            of_episode = said.get(str(row.get('episode_index')))
            for key in SUCCESS:
                feature = of_episode.get(key) if isinstance(of_episode, dict) else None
                if isinstance(feature, dict):
                    row[f'stats/{key}/max'] = feature.get('max')
    return rows


def _shared_rows(files: DatasetFiles, info: Info) -> Iterator[Json]:
    """meta/episodes, of the statistics those of success and what tells episodes apart."""
    paths = sorted((files.root / 'meta' / 'episodes').glob('*/*.parquet'))
    if not paths:
        raise DatasetError(f'{info.name}: meta/episodes holds no table of the episodes')
    told = {*MARKS, *(f'stats/{key}/max' for key in SUCCESS)}
    for path in paths:
        yield from _table(path, told)


def _table(path: Path, told: set[str]) -> list[Json]:
    with reading(path), import_pyarrow().parquet.ParquetFile(path) as file:
        names = file.schema_arrow.names
        wanted = [name for name in names if not name.startswith('stats/') or name in told]
        return file.read(columns=wanted).to_pylist()


def _success(row: Json) -> bool | None:
    """What the episode's own row says, or the largest value over its frames; None: nothing."""
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
            f'{info.name}: the metadata of episode {record.index} does not say in which file its '
            f'{key} is'
        )
    return place  # type: ignore[return-value]


def _fill(info: Info, template: str, record: Record, **values: int | str) -> str:
    chunk = record.index // info.chunks_size
    try:
        return template.format(episode_chunk=chunk, episode_index=record.index, **values)
    except (LookupError, ValueError, AttributeError, TypeError) as error:
        raise DatasetError(
            f'{info.name}: {INFO} has a path of an unknown kind: {template!r}'
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
