# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A clip: frames with their times, readable any number of times."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from topreward_ros.errors import TopRewardError

Picture = Callable[[], np.ndarray]  # decodes an image, or raises FrameError


class ClipError(TopRewardError):
    """A recording that cannot be read."""


@dataclass(frozen=True)
class Clip:
    """A recording that can be read any number of times.

    frames yields (time, image): seconds since the beginning, uint8 RGB (H, W, 3). seconds is the
    whole length, including the display time of the last frame. notes are what a user should know
    about how it is read; reading may add to them. release closes open files until the next read.
    broken is what reading raises, where that is known from the start.
    """

    name: str
    fps: float
    seconds: float
    frames: Callable[[], Iterator[tuple[float, np.ndarray]]]
    # The same without decoding, where the format allows it
    pictures: Callable[[], Iterator[tuple[float, Picture]]] | None = None
    notes: list[str] = field(default_factory=list)
    broken: Exception | None = None
    release: Callable[[], None] = lambda: None

    def undecoded(self) -> Iterator[tuple[float, Picture]]:
        """Yield times [s], each with a function that decodes the image."""
        if self.pictures is not None:
            return self.pictures()
        return ((time, partial(np.asarray, image)) for time, image in self.frames())

    def at(self, times: list[float]) -> list[np.ndarray]:
        """Return the frames on display at these rising times [s]."""
        frames: list[np.ndarray] = []
        newest = None
        for time, image in self.frames():
            while len(frames) < len(times) and newest is not None and times[len(frames)] < time:
                frames.append(newest)
            newest = image
            if len(frames) == len(times):
                return frames
        return frames + [newest] * (len(times) - len(frames)) if newest is not None else frames


def broken_clip(name: str, error: Exception) -> Clip:
    """Return a clip that raises the error when it is read, so that it does not end the others."""

    def frames() -> Iterator[tuple[float, np.ndarray]]:
        raise error

    return Clip(name, fps=1.0, seconds=0.0, frames=frames, broken=error)


def add_note(notes: list[str], text: str) -> None:
    """Add a note once: a clip is read several times."""
    if text not in notes:
        notes.append(text)


def paced(images: Iterator[np.ndarray], fps: float) -> Iterator[tuple[float, np.ndarray]]:
    """Yield (time [s], image) at this rate [1/s]."""
    return ((k / fps, image) for k, image in enumerate(images))
