# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Events of an episode that a controller should know of: success, a stall, a relapse."""

from __future__ import annotations

import dataclasses
import math
from collections import deque
from dataclasses import dataclass

from .live import Step
from .success import Scene

SUCCESS, STALLED, REGRESSED = 'success', 'stalled', 'regressed'
FINISHED = (Scene.FINISHED, Scene.FINISHED_AT_START)
ROUNDING = 1e-9  # of sums of decimal fractions, so that 0.25 to 0.3 is a rise of 0.05


@dataclass(frozen=True)
class EventOptions:
    """When progress has stalled or regressed; the names are those of the node's parameters.

    0 for stall_seconds [s] or regress_fall is never.
    """

    stall_seconds: float = 10.0
    stall_rise: float = 0.05
    regress_fall: float = 0.3

    def __post_init__(self) -> None:
        """Raises ValueError for a value below 0, or none."""
        for name, value in dataclasses.asdict(self).items():
            if not 0 <= value < math.inf:
                raise ValueError(f'{name} is {value}; expected 0 or more')

    def start(self) -> EventDetector:
        """Return a detector for one episode."""
        return EventDetector(self)


class EventDetector:
    """Detects the events of one episode from the results of its scores, in order.

    Stalled: progress is less than stall_rise above what it was stall_seconds ago, while the scene
    is unfinished and nothing has succeeded. Told once; again after progress has risen, and then no
    sooner than after stall_seconds.

    Regressed: progress is regress_fall or more below the highest of the episode, also after a
    success. Told once; again after progress has made up for half of the fall.

    Unknown progress is passed over. highest is NaN while none was known.
    """

    def __init__(self, options: EventOptions) -> None:
        self._options = options
        self._recent: deque[tuple[float, float]] = deque()  # times and progress of the window
        self._finished = self._succeeded = self._stalled = self._regressed = False
        self.highest = math.nan

    @property
    def is_stalled(self) -> bool:
        """Whether progress has stalled and not risen since."""
        return self._stalled and not self._succeeded and not self._finished

    def update(self, step: Step, time: float) -> tuple[str, ...]:
        """Process the next result, of the image at this time [s]; return the events it begins."""
        events = [SUCCESS] if step.success is not None else []
        self._succeeded |= step.success is not None
        self._finished = step.scene in FINISHED
        if math.isnan(step.progress):
            return tuple(events)
        self.highest = (
            step.progress if math.isnan(self.highest) else max(self.highest, step.progress)
        )
        if self._options.stall_seconds and self._begins_stall(step, time):
            events.append(STALLED)
        if self._options.regress_fall and self._begins_fall(step.progress):
            events.append(REGRESSED)
        return tuple(events)

    def _begins_stall(self, step: Step, time: float) -> bool:
        recent, before = self._recent, time - self._options.stall_seconds + ROUNDING
        recent.append((time, step.progress))
        while len(recent) > 1 and recent[1][0] <= before:
            recent.popleft()
        if recent[0][0] > before:  # not watched for so long
            return False
        if step.progress - recent[0][1] >= self._options.stall_rise - ROUNDING:
            if self._stalled:
                recent.clear()
                recent.append((time, step.progress))
            self._stalled = False
            return False
        if self._stalled or self._succeeded or self._finished:
            return False
        self._stalled = True
        return True

    def _begins_fall(self, progress: float) -> bool:
        fall, least = self.highest - progress, self._options.regress_fall
        if self._regressed:
            self._regressed = fall > least / 2 + ROUNDING
            return False
        self._regressed = fall >= least - ROUNDING
        return self._regressed
