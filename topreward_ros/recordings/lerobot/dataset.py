# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Open LeRobot datasets: each episode is a clip with its task and labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..clip import Clip
from ..recording import digest, state_of
from .episodes import (
    IDENTIFYING_STATISTICS,
    SUCCESS,
    Record,
    data_file,
    read_records,
    read_tasks,
)
from .files import DatasetError, DatasetFiles, import_pyarrow, open_files
from .frames import FrameTable, read_column, read_frames, read_table
from .info import Info, read_info


@dataclass(frozen=True)
class DatasetEpisode:
    """An episode of `frames` frames; table reads their timestamps and numbers in the dataset.

    task is empty where the dataset has none. success is None where it is unknown; where it has a
    value per frame, one True makes a success, as in LeRobot's evaluation. origin identifies the
    episode among others of the same path and index.
    """

    index: int
    task: str
    frames: int
    success: bool | None
    clip: Clip
    table: Callable[[], FrameTable]
    origin: Mapping[str, Any]


@dataclass(frozen=True)
class Dataset:
    """An open dataset: its rate [1/s], its cameras, and the camera of the clips."""

    name: str
    folder: Path
    version: str
    fps: float
    cameras: tuple[str, ...]
    camera: str
    episodes: tuple[DatasetEpisode, ...]


def open_dataset(source: str, camera: str | None = None, revision: str | None = None) -> Dataset:
    """Open a LeRobot dataset (v2.0, v2.1, v3.0): a folder, or an id on the hub.

    camera may be None where the dataset has one camera; the last part of its name is enough. From
    the hub the metadata is downloaded now, and an episode's files when its frames are read; a clip
    raises the problems of its own files. Raises DatasetError for a source that is no dataset, has
    another version or lacks metadata, and for a camera that has to be chosen.
    """
    import_pyarrow()
    files = open_files(source, revision)
    info = read_info(files)
    chosen = info.choose_camera(camera)
    episodes = (_episode(files, info, record, chosen) for record in read_records(files, info))
    return Dataset(
        name=files.name,
        folder=files.root,
        version=info.version,
        fps=info.fps,
        cameras=info.cameras,
        camera=chosen,
        episodes=tuple(episodes),
    )


def _episode(files: DatasetFiles, info: Info, record: Record, camera: str) -> DatasetEpisode:
    clip = Clip(
        name=f'{info.name.rpartition("/")[2]}/episode_{record.index:06d}',
        fps=info.fps,
        seconds=record.frames / info.fps,
        frames=lambda: read_frames(files, info, record, camera),
    )
    return DatasetEpisode(
        index=record.index,
        task=_task(files, info, record),
        frames=record.frames,
        success=_success(files, info, record),
        clip=clip,
        table=lambda: read_table(files, info, record),
        origin=_origin(files, info, record),
    )


def _origin(files: DatasetFiles, info: Info, record: Record) -> dict[str, Any]:
    """Return facts that change when the episode is replaced, but not when others are added."""
    if files.commit:
        return {'commit': files.commit}
    statistics = {
        key: record.row[key] for key in IDENTIFYING_STATISTICS if record.row.get(key) is not None
    }
    if statistics:
        return {'first frame': record.first_index, 'statistics': digest(statistics)}
    try:
        return state_of(files.path(data_file(info, record)))
    except DatasetError:  # its clip raises it
        return {}


def _task(files: DatasetFiles, info: Info, record: Record) -> str:
    """Return the episode's task; of several, which are unordered, the one of the first frame."""
    if len(record.tasks) < 2:
        return record.tasks[0] if record.tasks else ''
    try:
        table = files.path(data_file(info, record))
        number = int(read_column(table, record.index, 'task_index')[0])
        task = read_tasks(files, info)[number]
    except (DatasetError, LookupError, ValueError):
        task = None
    return task if isinstance(task, str) else record.tasks[0]


def _success(files: DatasetFiles, info: Info, record: Record) -> bool | None:
    """Return success from the metadata, else from a local frame table; None where unknown."""
    if record.success is not None:
        return record.success
    for key in SUCCESS:
        try:
            table = data_file(info, record)
            if key in info.features and files.has(table):
                return bool((read_column(files.path(table), record.index, key) > 0).any())
        except DatasetError:
            continue
    return None
