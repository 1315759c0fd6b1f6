# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Sampling of a camera's frames on a regular grid in time, by their stamps.

The window depends on the stamps alone, not on arrival times or the model's speed, so a camera and
a recording of it are sampled alike.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

NANOSECONDS = 1_000_000_000
HISTORIES = ('thin', 'last')  # what is done at max_frames, see `Sampling`
ANCHORS = 15  # prefixes scored per recording, as in the paper
# A frame may be early for its grid point by this fraction of an interval.
TOLERANCE = 0.02
# Stamps that fall by at most this come from images out of order or a small clock correction: they
# are skipped, and the episode continues [ns].
MAX_DISORDER = NANOSECONDS // 10


class Verdict(enum.Enum):
    """What to do with a stamp."""

    KEEP = 'keep'
    SKIP = 'skip'
    JUMPED_BACK = 'jumped back'
    JUMPED_AHEAD = 'jumped ahead'


@dataclass(frozen=True)
class Sample:
    """A kept frame: its time [s] on the grid, and whether the episode is thinned before it.

    missed: grid points without a frame since the previous one. is_near: more than half of the
    frames that may be kept are there, so that the next thinning can be prepared. keep: so many of
    the frames before it stay in the episode, the newest; None for all.
    """

    time: float
    thin: bool
    missed: int
    is_near: bool = False
    keep: int | None = None


@dataclass(frozen=True)
class Sampling:
    """How a camera or a recording is sampled, with the defaults of every command and node.

    fps [1/s]: frames kept per second; max_frames: most frames kept, a multiple of 4; max_gap [s]: a
    longer step between stamps starts a new episode. history: what is dropped at max_frames, every
    second pair (thin), or the oldest frame for each new one (last).
    """

    fps: float = 2.0
    max_frames: int = 64
    max_gap: float = 10.0
    history: str = 'thin'

    @property
    def history_name(self) -> str:
        """The history as a calibration names it; what the last frames are depends on their number.

        Thinned ones do not depend on it until there are so many.
        """
        return f'last {self.max_frames}' if self.history == 'last' else self.history

    def window(self) -> FrameWindow:
        """Return the window of an episode; ValueError for invalid values."""
        return FrameWindow(self.fps, self.max_frames, self.max_gap, self.history)


class FrameWindow:
    """The sampling grid of one episode, which begins at the first stamp taken.

    The grid has fps [1/s] points; at max_frames every second pair is dropped and the interval
    doubles, or, with the history `last`, the oldest frame is dropped for each new one. A step of
    more than max_gap [s] between stamps is a jump, and so is a step back of more than MAX_DISORDER.
    Stamps are integers [ns].
    """

    def __init__(
        self,
        fps: float = Sampling.fps,
        max_frames: int = Sampling.max_frames,
        max_gap: float = Sampling.max_gap,
        history: str = Sampling.history,
    ) -> None:
        if not 0 < fps <= 1000:
            raise ValueError(f'fps is {fps}; expected more than 0 and at most 1000')
        if max_frames < 4 or max_frames % 4:
            raise ValueError(
                f'max_frames is {max_frames}; expected a multiple of 4: pairs, half dropped'
            )
        if history not in HISTORIES:
            raise ValueError(f'history is {history!r}; expected one of {", ".join(HISTORIES)}')
        if max_gap * fps <= 1:
            raise ValueError(
                f'max_gap is {max_gap} s; expected more than the interval, {1 / fps} s'
            )
        self.fps = fps
        self.max_frames = max_frames
        self.max_gap = round(max_gap * NANOSECONDS)
        self.history = history
        self.start()

    def start(self) -> None:
        """Reset the window: the next stamp begins an episode."""
        self.frames = 0
        self._first: int | None = None
        self._newest = 0
        self._point = 0  # next grid point that is due, counted at `fps`
        self._stride = 1

    @property
    def interval(self) -> float:
        """Interval between the next kept frames [s]."""
        return self._stride / self.fps

    @property
    def next_stamp(self) -> int | None:
        """The earliest stamp that will be kept; None before the first frame, when any will be."""
        if self._first is None:
            return None
        on_time = self._point - TOLERANCE * self._stride
        return self._first + round(on_time * NANOSECONDS / self.fps)

    def judge(self, stamp: int) -> Verdict:
        """Decide whether to keep the frame with this stamp, without changing the window."""
        due = self.next_stamp
        if due is None:
            return Verdict.KEEP
        if stamp < self._newest - MAX_DISORDER:
            return Verdict.JUMPED_BACK
        if stamp - max(self._newest, due) > self.max_gap:
            return Verdict.JUMPED_AHEAD
        return Verdict.KEEP if stamp >= max(due, self._newest) else Verdict.SKIP

    def skip(self, stamp: int) -> None:
        """Record a stamp that is not kept, so that a gap between kept ones is no jump."""
        self._newest = max(self._newest, stamp)

    def take(self, stamp: int) -> Sample:
        """Keep the frame with this stamp, judged KEEP; ValueError otherwise."""
        if self.judge(stamp) is not Verdict.KEEP:
            raise ValueError(f'the frame stamped {stamp} ns is not due')
        if self._first is None:
            self._first = stamp
        point = int((stamp - self._first) * self.fps / NANOSECONDS + TOLERANCE * self._stride)
        point = max(point, self._point)  # rounding can leave it just below the point that is due
        missed = (point - self._point) // self._stride
        thin = self._count()
        self._newest = stamp
        self._point = point + self._stride
        is_near = self._keep is None and 2 * self.frames > self.max_frames
        return Sample(point / self.fps, thin, missed, is_near, self._keep)

    def take_last(self, stamp: int) -> Sample:
        """Keep the last frame of a recording, skipped before, at its own time."""
        if self._first is None:
            return self.take(stamp)
        newest = (self._point - self._stride) / self.fps  # which may be slightly early
        time = max((stamp - self._first) / NANOSECONDS, newest)
        return Sample(time, self._count(), missed=0, keep=self._keep)

    @property
    def _keep(self) -> int | None:
        """How many of the frames before a new one stay; None where the episode is thinned."""
        return self.max_frames - 1 if self.history == 'last' else None

    def _count(self) -> bool:
        """Count a kept frame; return whether the episode is thinned before it."""
        is_full = self.frames >= self.max_frames
        thin = is_full and self._keep is None
        if is_full and not thin:
            self.frames -= 1
        if thin:
            self.frames //= 2
            self._stride *= 2
        self.frames += 1
        return thin
