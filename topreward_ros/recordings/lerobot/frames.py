# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Read the frames of an episode of a LeRobot dataset, from a video or from its table."""

from __future__ import annotations

import io
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..clip import ClipError, add_note
from ..folders import read_image
from ..video import open_container, rgb
from .episodes import Record, data_file
from .files import MOST_FRAMES, DatasetError, DatasetFiles, import_pyarrow, open_table, reading
from .info import LARGEST_WHOLE, Info
from .video_parts import VideoPart, VideoParts

# LeRobot's tolerance_s: how far timestamps may be from the video's frames, and from a grid of the
# rate whose times they are, but for rounding [s]
TOLERANCE = 1e-4
IMAGE_BATCH_SIZE = 8


def read_frames(
    files: DatasetFiles,
    info: Info,
    record: Record,
    parts: VideoParts,
    span: slice,
    *,
    notes: list[str],
) -> Iterator[tuple[float, np.ndarray]]:
    """Yield each frame of a span of the episode: time since the first [s], uint8 RGB (H, W, 3).

    The frames are the rows of the data table, by their timestamps; what cannot be checked is added
    to the notes. Raises DatasetError for files that are missing, broken, or hold other frames than
    the metadata lists.
    """
    table = files.path(data_file(info, record))
    own = read_table(files, info, record).times
    times = own[span]
    if not len(times):
        return
    if info.features[parts.camera].get('dtype') == 'image':
        every = _images(table, files, record, parts.camera)
        images: Iterator[np.ndarray] = itertools.islice(every, span.start, span.stop)
    else:
        part = parts.of(record)
        drift = _drift(info, record, own)
        _check_inside(info, record, part, own, drift)
        images = _video(
            files.path(part.file),
            part,
            part.start + times,
            fps=info.fps,
            notes=notes,
            drift=drift,
        )
    for time, image in zip(times - times[0], images, strict=True):
        yield float(time), image


def _drift(info: Info, record: Record, times: np.ndarray) -> str:
    """Return how far timestamps [s] are from the times of a constant rate; empty if they are not.

    No error by itself: the video may have the same times.
    """
    drift = np.abs(times - np.arange(len(times)) / info.fps).max()
    if drift <= tolerance(times).max():
        return ''
    return (
        f'{info.name}: the timestamps of episode {record.index} are up to {drift:.4f} s from those '
        f'of its frames; expected at most {TOLERANCE:g} s, as in LeRobot'
    )


def _check_inside(
    info: Info, record: Record, part: VideoPart, times: np.ndarray, drift: str
) -> None:
    """Raise DatasetError where timestamps [s] are outside the episode's part of the video."""
    half = 0.5 / info.fps
    if drift and not -half <= times[0] <= times[-1] <= part.end - part.start - half:
        raise DatasetError(drift)
    if part.start + times[-1] > part.end - half:
        raise DatasetError(
            f'{part.file} holds {round((part.end - part.start) * info.fps)} frames of episode '
            f'{record.index}; its table has {record.frames}'
        )


def read_column(table: Path, episode: int, column: str) -> np.ndarray:
    """Return a numeric column of an episode's frames, float64 (frames,); raises DatasetError."""
    dataset = import_pyarrow().dataset
    with open_table(table, MOST_FRAMES):
        rows = dataset.dataset(str(table), format='parquet').to_table(
            columns=[column], filter=dataset.field('episode_index') == episode
        )
        return np.asarray(rows[column].to_numpy(), dtype=np.float64)


def read_columns(table: Path, columns: Sequence[str]) -> list[np.ndarray]:
    """Return numeric columns of all episodes, float64 (frames,); raises DatasetError."""
    with open_table(table, MOST_FRAMES) as file:
        rows = file.read(columns=list(columns))
        return [np.asarray(rows[column].to_numpy(), dtype=np.float64) for column in columns]


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

    def span(self, first: int, end: int) -> FrameTable:
        """Return the rows from first to end (excluded)."""
        return FrameTable(self.times[first:end], self.first_index + first)


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
    first = record.first_index
    if first is None:
        first = int(index[0]) if len(index) and 0 <= index[0] <= LARGEST_WHOLE else 0
    if not np.array_equal(index, first + numbers):
        raise DatasetError(
            f'{table}: the index of episode {record.index} does not count its frames from {first}'
        )
    if not (np.isfinite(times).all() and (np.diff(times) > 0).all()):
        raise DatasetError(f'{table}: the timestamps of episode {record.index} do not rise')
    grid = numbers / info.fps
    on_grid = bool((np.abs(times - grid) <= tolerance(times)).all())
    return FrameTable(grid if on_grid else times, first)


def tolerance(times: np.ndarray) -> np.ndarray:
    """Return how far times may be from what they are [s]: LeRobot's, and the rounding to float32.

    LeRobot raises FrameTimestampError beyond its `tolerance_s`, 1e-4 by default.
    """
    return TOLERANCE + np.spacing(np.abs(times).astype(np.float32)).astype(np.float64)


def _video(
    path: Path, part: VideoPart, times: np.ndarray, *, fps: float, notes: list[str], drift: str
) -> Iterator[np.ndarray]:
    """Yield the video frames at these rising times [s], of which fps [1/s] is the rate.

    drift is the reason that is told where there are no such frames, if it is known.
    """
    try:
        with open_container(path) as container:
            if not container.streams.video:
                raise DatasetError(f'{path} holds no video')
            _check_begin(path, part, container.streams.video[0], fps, notes)
            decoded = _decode_from(container, float(times[0]), 0.5 / fps)
            for frame in _nearest(decoded, times, 0.5 / fps, drift, path):
                yield rgb(frame)
    except DatasetError:
        raise
    except Exception as error:  # PyAV raises its own errors, and others on broken files
        raise DatasetError(f'{path} cannot be read as a video: {error}') from error


def _check_begin(path: Path, part: VideoPart, stream: Any, fps: float, notes: list[str]) -> None:
    """Raise DatasetError where the episode begins at another time than its frames, by more than
    half a frame.

    A video of constant rate with as many frames as its episodes has them one after the other.
    """
    own_fps = float(stream.average_rate or 0)
    if part.all_frames and stream.frames and stream.frames != part.all_frames:
        add_note(
            notes,
            f'{path.name} has {stream.frames} frames and its episodes {part.all_frames}: whether '
            'each frame is of its episode cannot be told',
        )
    if not part.all_frames or stream.frames != part.all_frames or not own_fps:
        return
    if abs(part.all_frames / own_fps - part.all_frames / fps) > 0.5 / fps:
        return
    first = float((stream.start_time or 0) * stream.time_base)
    begin = min((first + n / fps for n in part.before), key=lambda time: abs(part.start - time))
    if abs(part.start - begin) > 0.5 / fps:
        raise DatasetError(
            f'{path}: an episode begins at {part.start:.4f} s in the metadata, and its frames at '
            f'{begin:.4f} s: a drift of {abs(part.start - begin):.4f} s'
        )


def _decode_from(container: Any, start: float, tolerance: float) -> Iterator[tuple[float, Any]]:
    """Yield times [s] and frames, beginning at the last keyframe not later than start."""
    stream = container.streams.video[0]
    back = 0.0
    while True:
        # Slightly later, so that rounding does not miss a keyframe at start
        target = max(start + tolerance / 2 - back, 0.0)
        container.seek(int(target / stream.time_base), stream=stream)
        frames = (
            (float(frame.pts * stream.time_base), frame)
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
    decoded: Iterator[tuple[float, Any]], times: np.ndarray, most: float, known: str, path: Path
) -> Iterator[Any]:
    """Yield the frame at each of these rising times [s].

    Raises DatasetError where there is none within `most` [s], and where the nearest one is beyond
    LeRobot's tolerance, with the largest such deviation of the episode, or the known reason.
    """
    current, following = next(decoded, None), next(decoded, None)
    drift = 0.0
    for number, (time, allowed) in enumerate(zip(times, tolerance(times), strict=True)):
        while current and following and abs(following[0] - time) <= abs(current[0] - time):
            current, following = following, next(decoded, None)
        distance = abs(current[0] - time) if current else math.inf
        if known and distance > allowed:
            raise DatasetError(known)
        if distance > most and not drift:
            raise DatasetError(
                f'{path} has no frame at {time:.3f} s: {number} of the {len(times)} frames of the '
                'episode were found'
            )
        if allowed < distance <= most:
            drift = max(drift, distance)
        if current and not drift:
            yield current[1]
    if drift:
        raise DatasetError(
            f'{path}: the timestamps of the episode that begins at {times[0]:.4f} s are up to '
            f'{drift:.4f} s from the frames of the video; expected at most {TOLERANCE:g} s, as in '
            'LeRobot'
        )


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
    try:
        if not content and isinstance(path, str) and path:
            return read_image(files.path(path), name)
        if not isinstance(content, bytes):
            raise DatasetError(f'{name} is missing')
        return read_image(io.BytesIO(content), name)
    except DatasetError:
        raise
    except ClipError as error:
        raise DatasetError(str(error)) from error
