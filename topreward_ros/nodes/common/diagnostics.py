# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the node says of itself on /diagnostics, once a period."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR
# Facts of the reward node: how many frames were not scored, and why
DROPPED = 'frames dropped (model too slow)'
MISSED = 'images too late (grid points missed)'
REFUSED = 'images refused'


class ScoreRate:
    """Scores per second and the last latencies, over the last ten scores."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=10)
        self.latency = 0.0  # image stamp to publication [s]
        self.model_seconds = 0.0  # of the newest score [s]

    def scored(self, latency: float, model_seconds: float) -> None:
        self._times.append(time.monotonic())
        self.latency = latency
        self.model_seconds = model_seconds

    def per_second(self) -> float:
        if len(self._times) < 2:
            return 0.0
        # up to now, so that it falls when scores stop coming
        return (len(self._times) - 1) / max(1e-9, time.monotonic() - self._times[0])


def diagnostic_array(
    stamp: Any, name: str, level: bytes, message: str, values: dict[str, object]
) -> DiagnosticArray:
    """A message of one status; name is the node's and what the status is of."""
    status = DiagnosticStatus(
        level=level,
        name=name,
        message=message,
        hardware_id='',
        values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
    )
    array = DiagnosticArray(status=[status])
    array.header.stamp = stamp
    return array
