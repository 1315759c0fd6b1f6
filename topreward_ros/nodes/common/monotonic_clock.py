# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A clock that never goes back: it times episodes and motions."""

from __future__ import annotations

import time
from typing import Any


class MonotonicClock:
    """Seconds since its creation, in simulated time if the node uses it.

    Otherwise the steady clock is used, so that setting the system time ends no episode. When
    simulated time starts or restarts, this clock continues from its last value.
    """

    def __init__(self, node: Any) -> None:
        self._clock = node.get_clock()
        self._seconds = 0.0
        self._simulated, self._reading = self._read()
        self._moved = time.monotonic()

    def now(self) -> float:
        """Return the time since creation [s]."""
        simulated, reading = self._read()
        if reading != self._reading:
            self._moved = time.monotonic()
        restarted = not self._reading or simulated != self._simulated
        if not restarted:
            self._seconds += max(0.0, reading - self._reading)
        self._simulated, self._reading = simulated, reading
        return self._seconds

    def standstill(self) -> float:
        """Return the time for which it has not advanced, by the steady clock [s]."""
        self.now()
        return time.monotonic() - self._moved

    def problem(self, limit: float) -> str:
        """Describe a standstill longer than `limit` [s]; empty if there is none."""
        standstill = self.standstill()
        if standstill <= limit:
            return ''
        return f'/clock has not advanced for {standstill:.1f} s, and use_sim_time is set'

    def _read(self) -> tuple[bool, float]:
        if self._clock.ros_time_is_active:
            return True, self._clock.now().nanoseconds / 1e9
        return False, time.monotonic()
