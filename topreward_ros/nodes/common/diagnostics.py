# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The messages that the nodes publish on /diagnostics, once per period."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

LEVEL_OK = DiagnosticStatus.OK
LEVEL_WARN = DiagnosticStatus.WARN
LEVEL_ERROR = DiagnosticStatus.ERROR
# Keys of the reward node: the numbers of frames that were not scored, by cause
KEY_DROPPED = 'frames dropped (model too slow)'
KEY_MISSED = 'images too late (grid points missed)'
KEY_REFUSED = 'images refused'


class ScoreRate:
    """Scores per second over the last ten scores, and the latency and model time of the newest."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=10)
        self.latency = 0.0  # image stamp to publication [s]
        self.model_seconds = 0.0  # of the newest score [s]

    def add(self, latency: float, model_seconds: float) -> None:
        """Count a score that was published just now."""
        self._times.append(time.monotonic())
        self.latency = latency
        self.model_seconds = model_seconds

    def per_second(self) -> float:
        """Return the rate up to now, so that it falls when scores stop [1/s]."""
        if len(self._times) < 2:
            return 0.0
        return (len(self._times) - 1) / max(1e-9, time.monotonic() - self._times[0])


def diagnostic_array(
    stamp: Any, name: str, level: bytes, message: str, values: dict[str, object]
) -> DiagnosticArray:
    """Return a message with one status; name is the node's name and the subject of the status."""
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
