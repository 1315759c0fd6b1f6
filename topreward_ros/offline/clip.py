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

Picture = Callable[[], np.ndarray]  # decodes an image; FrameError where it cannot be


class ClipError(TopRewardError):
    """A recording that cannot be read."""


@dataclass(frozen=True)
class Clip:
    """A recording that can be read any number of times.

    frames gives (time, image): seconds since the beginning, uint8 RGB (H, W, 3); seconds is the
    whole length, the last frame's own time to be seen included. remark is what a user should know
    of how it is read; rest gives back what a reading keeps open, until the next one.
    """

    name: str
    fps: float
    seconds: float
    frames: Callable[[], Iterator[tuple[float, np.ndarray]]]
    # The same undecoded, where that can be had
    pictures: Callable[[], Iterator[tuple[float, Picture]]] | None = None
    remark: str = ''
    rest: Callable[[], None] = lambda: None

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
    """Open a video file, a folder of images in the order of the numbers in their names, or None:
    the example, an episode of the small world.

    fps [1/s], where it is not 0, replaces the file's own rate (30 for a folder). Raises ClipError
    for what is not there, not a video, or empty.
    """
    if not source:
        rate = fps or example.FPS
        return Clip('example', rate, example.COUNT / rate, lambda: paced(example.example(), rate))
    path = Path(source).expanduser()
    if path.is_dir():
        from .image_files import open_folder

        return open_folder(path, fps)
    if path.is_file():
        from .video_file import open_video

        return open_video(path, fps)
    raise ClipError(f'{path} is not there: expected a video file or a folder of images')


def paced(images: Iterator[np.ndarray], fps: float) -> Iterator[tuple[float, np.ndarray]]:
    """Images with their times at this rate [1/s]."""
    return ((k / fps, image) for k, image in enumerate(images))
