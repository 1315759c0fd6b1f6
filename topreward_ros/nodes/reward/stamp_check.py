# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Judges the stamps of a camera's images against the clock, each other and the sampling grid."""

from __future__ import annotations

from collections import deque
from itertools import pairwise

from topreward_ros.scoring.sampling import NANOSECONDS

FAR = 10.0  # between an image's stamp and its arrival: another clock [s]
LEAST_SPLIT = 1.0  # between the clocks of two cameras on one topic [s]
OFFSETS = 8  # of the newest images, in which two clocks are looked for
POINTS = 10  # newest kept images, of which missed points are told
UNITS = (('years', 31_557_600), ('days', 86_400), ('hours', 3600), ('minutes', 60), ('s', 1))


class StampCheck:
    """Notes every image taken; times of arrival are of the node's clock, simulated or not."""

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._offset = 0.0  # of the newest image, arrival minus stamp [s]
        self._missed: deque[int] = deque(maxlen=POINTS)
        self.start()

    def start(self) -> None:
        """Begin anew, as the user asked for an episode: what was mixed may have been mended."""
        self._frame_id: str | None = None
        self._offsets: deque[float] = deque(maxlen=OFFSETS)
        self._missed.clear()

    @property
    def is_far(self) -> bool:
        """Whether the stamps are of another clock, so that no latency can be told."""
        return abs(self._offset) > FAR

    def note(self, stamp: int, frame_id: str, now: int) -> str | None:
        """Note an image, with its stamp and arrival [ns]; return why it cannot be scored.

        now is 0 while simulated time has not started.
        """
        self._frame_id = frame_id if self._frame_id is None else self._frame_id
        if frame_id != self._frame_id:
            return (
                f'two cameras publish on {self._topic}: images of frame_id {self._frame_id!r} and '
                f'{frame_id!r}; give each a topic of its own'
            )
        if not now:
            return None
        self._offset = (now - stamp) / NANOSECONDS
        self._offsets.append(self._offset)
        if split := _split(self._offsets):
            return (
                f'two cameras, or two clocks, publish on {self._topic}: stamps that are '
                f'{in_words(split)} apart take turns; give each camera a topic of its own'
            )
        return None

    def note_kept(self, missed: int) -> None:
        """Note a kept image, with the number of grid points without an image before it."""
        self._missed.append(missed)

    def problem(self) -> str | None:
        """Return what is wrong with the stamps though images are scored, or None."""
        if self.is_far:
            side = 'before' if self._offset > 0 else 'after'
            return (
                f'the images on {self._topic} are stamped {in_words(abs(self._offset))} {side} '
                "their arrival: the camera's clock is not that of this node (see use_sim_time), so "
                'the latency is unknown'
            )
        missed, points = sum(self._missed), sum(self._missed) + len(self._missed)
        if missed > 1 and missed * 4 > points:
            return (
                f'{missed} of the last {points} points of the sampling grid had no image: the '
                'camera is slower than fps, the computer is too busy, or a bag is played faster '
                'than real time without use_sim_time'
            )
        return None


def _split(offsets: deque[float]) -> float:
    """Return the distance [s] of two clocks that take turns, or 0.

    Both are there at least three times, and each is steady compared to their distance: a computer
    that is busy for a moment delays images, too, but not by one and the same time.
    """
    low, high = min(offsets), max(offsets)
    middle = (low + high) / 2
    sides = [offset > middle for offset in offsets]
    groups = [
        [o for o, is_high in zip(offsets, sides, strict=True) if is_high == s] for s in (0, 1)
    ]
    distance = high - low
    is_steady = all(len(g) > 2 and max(g) - min(g) < distance / 10 for g in groups)
    turns = sum(one != two for one, two in pairwise(sides))
    return distance if distance > LEAST_SPLIT and is_steady and turns > 2 else 0.0


def in_words(seconds: float) -> str:
    """Return a time in the largest unit that fits, such as 56.9 years."""
    unit, size = next(((u, s) for u, s in UNITS if seconds >= s), UNITS[-1])
    return f'{seconds / size:.1f} {unit}'
