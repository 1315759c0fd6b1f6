# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Open LeRobot datasets: each episode is a clip with its task and labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ..clip import Clip
from ..recording import digest, state_of
from .episodes import IDENTIFYING_STATISTICS, SUCCESS, Record, data_file, read_records
from .files import DatasetError, DatasetFiles, import_pyarrow, open_files
from .frames import FrameTable, read_column, read_frames, read_table
from .info import Info, read_info
from .tasks import Tasks, TaskSpan
from .video_parts import VideoParts


@dataclass(frozen=True)
class DatasetEpisode:
    """An episode of `frames` frames; table reads their timestamps and numbers in the dataset.

    An episode that changes its task is several of these, whose parts count from 1; part is 0 for a
    whole one, and first the number of its first frame in the episode. task is empty where the
    dataset has none. success is None where it is unknown, as before the last part; where it has a
    value per frame, one True makes a success, as in LeRobot's evaluation. origin identifies the
    episode among others of the same path and index.
    """

    index: int
    part: int
    first: int
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


def open_dataset(
    source: str,
    camera: str | None = None,
    revision: str | None = None,
    *,
    task: str = '',
    chosen: Sequence[range] = (),
) -> Dataset:
    """Open a LeRobot dataset (v2.0, v2.1, v3.0): a folder, or an id on the hub.

    camera may be None where the dataset has one camera; the last part of its name is enough. task
    replaces those of the episodes; chosen are the episodes to open, all if empty. From the hub the
    metadata is downloaded now, and an episode's files when its frames are read, or its tasks if
    only the frames have them; a clip raises the problems of its own files. Raises DatasetError for
    a source that is no dataset, has another version or lacks metadata, for a camera that has to be
    chosen, and for chosen episodes that it does not have.
    """
    import_pyarrow()
    files = open_files(source, revision)
    info = read_info(files)
    records = read_records(files, info)
    parts = VideoParts(info, records, info.choose_camera(camera))
    reader = _Reader(files, info, parts, task)
    return Dataset(
        name=files.name,
        folder=files.root,
        version=info.version,
        fps=info.fps,
        cameras=info.cameras,
        camera=parts.camera,
        episodes=tuple(
            episode for record in _chosen(info, records, chosen) for episode in reader.read(record)
        ),
    )


def _chosen(info: Info, records: Sequence[Record], chosen: Sequence[range]) -> list[Record]:
    """Return the records of these indices, all if empty; raises DatasetError for missing ones."""
    indices = {record.index for record in records}
    for each in chosen:
        for end in (each[0], each[-1]):
            if end not in indices:
                raise DatasetError(
                    f'{info.name} has no episode {end}: it has {len(records)}, from '
                    f'{records[0].index} to {records[-1].index}'
                )
    return [r for r in records if not chosen or any(r.index in each for each in chosen)]


class _Reader:
    """Makes the episodes of a dataset; a task, if there is one, replaces their own."""

    def __init__(self, files: DatasetFiles, info: Info, parts: VideoParts, task: str) -> None:
        self._files = files
        self._info = info
        self._parts = parts
        self._task = task
        self._tasks = Tasks(files, info)

    def read(self, record: Record) -> Iterator[DatasetEpisode]:
        """Yield the episode, or its parts where its task changes."""
        spans, note = [TaskSpan(self._task, 0, record.frames)], ''
        if not self._task:
            spans, note = self._tasks.spans(record)
        origin = _origin(self._files, self._info, record)
        success = _success(self._files, self._info, record)
        for number, span in enumerate(spans, start=1):
            part = number if len(spans) > 1 else 0
            yield DatasetEpisode(
                index=record.index,
                part=part,
                first=span.first,
                task=span.task,
                frames=span.end - span.first,
                success=success if number == len(spans) else None,
                clip=self._clip(record, part, span, note),
                table=partial(self._table, record, span),
                origin={**origin, 'first': span.first} if part else origin,
            )

    def _clip(self, record: Record, part: int, span: TaskSpan, note: str) -> Clip:
        dataset = self._info.name
        notes = [f'{dataset}: {note}'] if note else []
        rows = slice(span.first, span.end)
        return Clip(
            name=f'{dataset.rpartition("/")[2]}/{episode_name(record.index, part)}',
            fps=self._info.fps,
            seconds=(span.end - span.first) / self._info.fps,
            frames=lambda: read_frames(
                self._files, self._info, record, self._parts, rows, notes=notes
            ),
            notes=notes,
        )

    def _table(self, record: Record, span: TaskSpan) -> FrameTable:
        return read_table(self._files, self._info, record).span(span.first, span.end)


def episode_name(index: int, part: int) -> str:
    """Return the name of an episode, or of a part of it, counted from 1."""
    name = f'episode_{index:06d}'
    return f'{name}_part_{part}' if part else name


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
