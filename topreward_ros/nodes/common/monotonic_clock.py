# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Time that only goes on: what an episode or a motion takes is measured by it."""

from __future__ import annotations

import time
from typing import Any


class ForwardClock:
    """Seconds since it was made, of simulated time where the node follows that.

    Otherwise of the steady clock, so that setting the machine's time ends no episode. Where
    simulated time begins, or begins anew, this one goes on from where it was.
    """

    def __init__(self, node: Any) -> None:
        self._clock = node.get_clock()
        self._seconds = 0.0
        self._simulated, self._reading = self._read()
        self._moved = time.monotonic()

    def now(self) -> float:
        """[s]"""
        simulated, reading = self._read()
        if reading != self._reading:
            self._moved = time.monotonic()
        began = not self._reading or simulated != self._simulated
        if not began:
            self._seconds += max(0.0, reading - self._reading)
        self._simulated, self._reading = simulated, reading
        return self._seconds

    def standstill(self) -> float:
        """For how long it has not gone on, by the steady clock [s]."""
        self.now()
        return time.monotonic() - self._moved

    def problem(self, patience: float) -> str:
        """What is wrong where it has stood still for longer than this [s]; else nothing."""
        standstill = self.standstill()
        if standstill <= patience:
            return ''
        return f'/clock has not advanced for {standstill:.1f} s, and use_sim_time is set'

    def _read(self) -> tuple[bool, float]:
        if self._clock.ros_time_is_active:
            return True, self._clock.now().nanoseconds / 1e9
        return False, time.monotonic()
