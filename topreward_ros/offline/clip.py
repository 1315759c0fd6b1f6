# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Frames with their times, from a video file, an image folder or the example the package draws."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ..demo import example
from ..scoring.errors import TopRewardError

IMAGE_SUFFIXES = ('.png', '.jpg', '.jpeg', '.webp', '.bmp')
DEFAULT_FOLDER_FPS = 30.0
Picture = Callable[[], np.ndarray]  # decodes an image; FrameError where it cannot be


class ClipError(TopRewardError):
    """A recording that cannot be read."""


@dataclass(frozen=True)
class Clip:
    """A recording that can be read any number of times.

    frames gives (time, image): seconds since the beginning, uint8 RGB (H, W, 3); seconds is the
    whole length, the last frame's own time to be seen included.
    """

    name: str
    fps: float
    seconds: float
    frames: Callable[[], Iterator[tuple[float, np.ndarray]]]
    # The same undecoded, where that can be had
    pictures: Callable[[], Iterator[tuple[float, Picture]]] | None = None

    def undecoded(self) -> Iterator[tuple[float, Picture]]:
        """Times [s] and what decodes the images then, so that only what is wanted is decoded."""
        if self.pictures is not None:
            return self.pictures()
        return ((time, partial(np.asarray, image)) for time, image in self.frames())

    def at(self, times: list[float]) -> list[np.ndarray]:
        """The frames shown at these times [s], in rising order."""
        shown: list[np.ndarray] = []
        newest = None
        for time, image in self.frames():
            while len(shown) < len(times) and newest is not None and times[len(shown)] < time:
                shown.append(newest)
            newest = image
            if len(shown) == len(times):
                return shown
        return shown + [newest] * (len(times) - len(shown)) if newest is not None else shown


def open_clip(source: str | Path | None, fps: float = 0.0) -> Clip:
    """Open a video file, a folder of images in the order of their names, or None: the
    example, an episode of the small world.

    fps [1/s], where it is not 0, replaces the file's own rate (30 for a folder). Raises ClipError
    for what is not there, not a video, or empty.
    """
    if not source:
        rate = fps or example.FPS
        return Clip('example', rate, example.COUNT / rate, lambda: _paced(example.example(), rate))
    path = Path(source).expanduser()
    if path.is_dir():
        return _open_folder(path, fps or DEFAULT_FOLDER_FPS)
    if path.is_file():
        return _open_video(path, fps)
    raise ClipError(f'{path} is not there: expected a video file or a folder of images')


def _paced(images: Iterator[np.ndarray], fps: float) -> Iterator[tuple[float, np.ndarray]]:
    return ((k / fps, image) for k, image in enumerate(images))


def _open_folder(path: Path, fps: float) -> Clip:
    from PIL import Image

    files = sorted(file for file in path.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES)
    if not files:
        raise ClipError(f'{path} holds no images ({", ".join(IMAGE_SUFFIXES)})')

    def images() -> Iterator[np.ndarray]:
        for file in files:
            try:
                with Image.open(file) as image:
                    yield np.asarray(image.convert('RGB'))
            except OSError as error:
                raise ClipError(f'{file} cannot be read: {error}') from error

    return Clip(path.name, fps, len(files) / fps, lambda: _paced(images(), fps))


def _open_video(path: Path, fps: float) -> Clip:
    av = import_av()
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise ClipError(f'{path} holds no video')
            stream = container.streams.video[0]
            own_fps = float(stream.average_rate or stream.guessed_rate or 0)
            length = (container.duration or 0) / av.time_base
            count = stream.frames or round(length * own_fps)
    except av.FFmpegError as error:
        raise ClipError(f'{path} is not a video that can be read: {error}') from error
    if own_fps <= 0:
        raise ClipError(f'{path} does not say its frame rate: give one')
    rate = fps or own_fps
    scale = own_fps / rate

    def frames() -> Iterator[tuple[float, np.ndarray]]:
        try:
            with av.open(str(path)) as container:
                first = None
                for k, frame in enumerate(container.decode(video=0)):
                    time = frame.time if frame.time is not None else k / own_fps
                    first = time if first is None else first
                    yield (time - first) * scale, frame.to_ndarray(format='rgb24')
        except av.FFmpegError as error:
            raise ClipError(f'{path} broke off: {error}') from error

    return Clip(path.stem, rate, count / rate, frames)


def import_av():  # type: ignore[no-untyped-def]
    """PyAV, or ClipError with what to do."""
    try:
        import av
    except ImportError as error:
        raise ClipError('video files need PyAV: pip install av') from error
    return av
