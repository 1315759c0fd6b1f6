# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A clip: frames with their times, that can be read any number of times."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from topreward_ros.errors import TopRewardError

Picture = Callable[[], np.ndarray]  # decodes an image; FrameError where it cannot be


class ClipError(TopRewardError):
    """A recording that cannot be read."""


@dataclass(frozen=True)
class Clip:
    """A recording that can be read any number of times.

    frames gives (time, image): seconds since the beginning, uint8 RGB (H, W, 3); seconds is the
    whole length, the last frame's own time to be seen included. note is what a user should know
    of how it is read; release closes what a reading keeps open, until the next one.
    """

    name: str
    fps: float
    seconds: float
    frames: Callable[[], Iterator[tuple[float, np.ndarray]]]
    # The same undecoded, where that can be had
    pictures: Callable[[], Iterator[tuple[float, Picture]]] | None = None
    note: str = ''
    release: Callable[[], None] = lambda: None

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


def paced(images: Iterator[np.ndarray], fps: float) -> Iterator[tuple[float, np.ndarray]]:
    """Images with their times at this rate [1/s]."""
    return ((k / fps, image) for k, image in enumerate(images))
