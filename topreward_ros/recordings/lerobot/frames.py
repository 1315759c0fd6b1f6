# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The frames of one episode of a LeRobot dataset, from its part of a video or from its table."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..clip import ClipError
from ..folders import read_image
from ..video import import_av, rgb
from .episodes import Record, data_file, video_part
from .files import DatasetError, DatasetFiles, import_pyarrow, reading
from .info import Info

# Times of a table this near to the grid of its rate are that grid, kept in float32 [s].
ON_GRID = 1e-4
IMAGES_READ_AT_ONCE = 8


def read_frames(
    files: DatasetFiles, info: Info, record: Record, camera: str
) -> Iterator[tuple[float, np.ndarray]]:
    """Each frame of the episode: its time since the first one [s], uint8 RGB (H, W, 3).

    The frames are those that the table of the data has a row for, by their timestamps. Raises
    DatasetError for files that are missing, broken, or hold other frames than the metadata says.
    """
    table = files.path(data_file(info, record))
    times = read_table(files, info, record).times
    if not record.frames:
        return
    if info.features[camera].get('dtype') == 'image':
        images = _images(table, files, record, camera)
    else:
        part = video_part(info, record, camera)
        half = 0.5 / info.fps
        if part.end is not None and part.start + times[-1] > part.end - half:
            raise DatasetError(
                f'{part.file} holds {round((part.end - part.start) * info.fps)} frames of episode '
                f'{record.index}; its table has {record.frames}'
            )
        images = _video(files.path(part.file), part.start + times, half)
    for time, image in zip(times - times[0], images, strict=True):
        yield float(time), image


def read_column(table: Path, episode: int, column: str) -> np.ndarray:
    """A column of numbers of an episode's frames; DatasetError where it cannot be had."""
    dataset = import_pyarrow().dataset
    with reading(table):
        rows = dataset.dataset(str(table), format='parquet').to_table(
            columns=[column], filter=dataset.field('episode_index') == episode
        )
        return np.asarray(rows[column].to_numpy(), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class FrameTable:
    """The timestamps of an episode's frames (frames,) [s], rising, and the first one's number in
    the dataset.
    """

    times: np.ndarray
    first_index: int

    def numbers(self, times: Sequence[float]) -> np.ndarray:
        """The frames nearest to these times [s] since the first one."""
        own = self.times - self.times[0]
        return np.searchsorted((own[1:] + own[:-1]) / 2, times)


def read_table(files: DatasetFiles, info: Info, record: Record) -> FrameTable:
    """DatasetError where the rows are not the episode's."""
    table = files.path(data_file(info, record))
    times = read_column(table, record.index, 'timestamp')
    if len(times) != record.frames:
        raise DatasetError(
            f'{table} holds {len(times)} frames of episode {record.index}; the metadata says '
            f'{record.frames}'
        )
    numbers = np.arange(record.frames)
    index = read_column(table, record.index, 'index')
    first = int(index[0]) if len(index) else 0
    if record.first_index is not None:
        first = record.first_index
    if not np.array_equal(index, first + numbers):
        raise DatasetError(
            f'{table}: the index of episode {record.index} does not count its frames from {first}'
        )
    if not (np.isfinite(times).all() and (np.diff(times) > 0).all()):
        raise DatasetError(f'{table}: the timestamps of episode {record.index} do not rise')
    grid = numbers / info.fps
    on_grid = np.allclose(times, grid, rtol=0, atol=ON_GRID)
    return FrameTable(grid if on_grid else times, first)


def _video(path: Path, times: np.ndarray, tolerance: float) -> Iterator[np.ndarray]:
    """The frames of a video nearest to these rising times [s], none further than tolerance."""
    av = import_av()
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise DatasetError(f'{path} holds no video')
            decoded = _decode_from(container, float(times[0]), tolerance)
            for frame in _nearest(decoded, times, tolerance, path):
                yield rgb(frame)
    except av.FFmpegError as error:
        raise DatasetError(f'{path} is not a video that can be read: {error}') from error


def _decode_from(container: Any, start: float, tolerance: float) -> Iterator[tuple[float, Any]]:
    """Times [s] and frames from the last keyframe on that is not later than start."""
    stream = container.streams.video[0]
    first_pts = stream.start_time or 0
    back = 0.0
    while True:
        # A little late, so that a keyframe at start itself is not missed by rounding.
        target = max(start + tolerance / 2 - back, 0.0)
        container.seek(first_pts + int(target / stream.time_base), stream=stream)
        frames = (
            (float((frame.pts - first_pts) * stream.time_base), frame)
            for frame in container.decode(stream)
            if frame.pts is not None
        )
        first = next(frames, None)
        if first is None or first[0] <= start + tolerance or target == 0:
            break
        # Containers look keyframes up by the order of decoding, so some begin too late.
        back = 2 * back or 1.0
    if first is not None:
        yield first
        yield from frames


def _nearest(
    decoded: Iterator[tuple[float, Any]], times: np.ndarray, tolerance: float, path: Path
) -> Iterator[Any]:
    here, after = next(decoded, None), next(decoded, None)
    for number, time in enumerate(times):
        while here and after and abs(after[0] - time) <= abs(here[0] - time):
            here, after = after, next(decoded, None)
        if here is None or abs(here[0] - time) > tolerance:
            raise DatasetError(
                f'{path} has no frame at {time:.3f} s: {number} of the {len(times)} frames of the '
                'episode were found'
            )
        yield here[1]


def _images(table: Path, files: DatasetFiles, record: Record, camera: str) -> Iterator[np.ndarray]:
    """The images of a column, a few at a time."""
    dataset = import_pyarrow().dataset
    with reading(table):
        batches: Iterable[Any] = (
            dataset.dataset(str(table), format='parquet')
            .scanner(
                columns=[camera],
                filter=dataset.field('episode_index') == record.index,
                batch_size=IMAGES_READ_AT_ONCE,
                batch_readahead=1,
                fragment_readahead=1,
                use_threads=False,
            )
            .to_batches()
        )
        for batch in batches:
            for cell in batch.column(0).to_pylist():
                yield _image(cell, files, f'{table}: an image of episode {record.index}')


def _image(cell: object, files: DatasetFiles, name: str) -> np.ndarray:
    """uint8 RGB (H, W, 3) of a cell: {bytes, path}, the second in place of the first."""
    content = cell.get('bytes') if isinstance(cell, dict) else cell
    path = cell.get('path') if isinstance(cell, dict) else None
    if not content and isinstance(path, str) and path:
        content = files.path(path).read_bytes()
    if not isinstance(content, bytes):
        raise DatasetError(f'{name} is missing')
    try:
        return read_image(io.BytesIO(content), name)
    except ClipError as error:
        raise DatasetError(str(error)) from error
