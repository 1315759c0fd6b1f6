# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Read the frames of an episode of a LeRobot dataset, from a video or from its table."""

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

# Timestamps this near to the grid of the rate are that grid, rounded to float32 [s]
GRID_TOLERANCE = 1e-4
IMAGE_BATCH_SIZE = 8


def read_frames(
    files: DatasetFiles, info: Info, record: Record, camera: str
) -> Iterator[tuple[float, np.ndarray]]:
    """Yield each frame of the episode: time since the first one [s], uint8 RGB (H, W, 3).

    The frames are the rows of the data table, by their timestamps. Raises DatasetError for files
    that are missing, broken, or hold other frames than the metadata lists.
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
    """Return a numeric column of an episode's frames, float64 (frames,); raises DatasetError."""
    dataset = import_pyarrow().dataset
    with reading(table):
        rows = dataset.dataset(str(table), format='parquet').to_table(
            columns=[column], filter=dataset.field('episode_index') == episode
        )
        return np.asarray(rows[column].to_numpy(), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class FrameTable:
    """The rising timestamps of an episode's frames, (frames,) [s].

    first_index is the number of the first frame in the dataset.
    """

    times: np.ndarray
    first_index: int

    def numbers(self, times: Sequence[float]) -> np.ndarray:
        """Return the frames nearest to these times [s] since the first one, counted from 0."""
        own = self.times - self.times[0]
        return np.searchsorted((own[1:] + own[:-1]) / 2, times)


def read_table(files: DatasetFiles, info: Info, record: Record) -> FrameTable:
    """Read the frame table; raises DatasetError where its rows do not match the metadata."""
    table = files.path(data_file(info, record))
    times = read_column(table, record.index, 'timestamp')
    if len(times) != record.frames:
        raise DatasetError(
            f'{table} holds {len(times)} frames of episode {record.index}; the metadata lists '
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
    on_grid = np.allclose(times, grid, rtol=0, atol=GRID_TOLERANCE)
    return FrameTable(grid if on_grid else times, first)


def _video(path: Path, times: np.ndarray, tolerance: float) -> Iterator[np.ndarray]:
    """Yield the video frames nearest to these rising times [s], within tolerance."""
    av = import_av()
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise DatasetError(f'{path} holds no video')
            decoded = _decode_from(container, float(times[0]), tolerance)
            for frame in _nearest(decoded, times, tolerance, path):
                yield rgb(frame)
    except DatasetError:
        raise
    except Exception as error:  # PyAV raises its own errors, and others on broken files
        raise DatasetError(f'{path} cannot be read as a video: {error}') from error


def _decode_from(container: Any, start: float, tolerance: float) -> Iterator[tuple[float, Any]]:
    """Yield times [s] and frames, beginning at the last keyframe not later than start."""
    stream = container.streams.video[0]
    first_pts = stream.start_time or 0
    back = 0.0
    while True:
        # Slightly later, so that rounding does not miss a keyframe at start
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
        # Containers seek keyframes in decoding order, so some begin too late
        back = 2 * back or 1.0
    if first is not None:
        yield first
        yield from frames


def _nearest(
    decoded: Iterator[tuple[float, Any]], times: np.ndarray, tolerance: float, path: Path
) -> Iterator[Any]:
    current, following = next(decoded, None), next(decoded, None)
    for number, time in enumerate(times):
        while current and following and abs(following[0] - time) <= abs(current[0] - time):
            current, following = following, next(decoded, None)
        if current is None or abs(current[0] - time) > tolerance:
            raise DatasetError(
                f'{path} has no frame at {time:.3f} s: {number} of the {len(times)} frames of the '
                'episode were found'
            )
        yield current[1]


def _images(table: Path, files: DatasetFiles, record: Record, camera: str) -> Iterator[np.ndarray]:
    """Yield the images of a column, read in small batches."""
    dataset = import_pyarrow().dataset
    with reading(table):
        batches: Iterable[Any] = (
            dataset.dataset(str(table), format='parquet')
            .scanner(
                columns=[camera],
                filter=dataset.field('episode_index') == record.index,
                batch_size=IMAGE_BATCH_SIZE,
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
    """Decode a cell {bytes, path} to uint8 RGB (H, W, 3); path is used where bytes is empty."""
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
