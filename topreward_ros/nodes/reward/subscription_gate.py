# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A gate that opens a camera's subscription only when an image is due.

Even an empty rclpy callback costs milliseconds for a large image. While the gate is closed, the
subscription is not in the executor's wait set and the middleware keeps only the newest image, so
only the sampled images cost time.
"""

from __future__ import annotations

from typing import Any

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup

# The gate opens this long after the expected arrival, so that the newest image is the due one.
ARRIVAL_MARGIN = 10_000_000  # [ns]
# Largest changes of the estimate per image [ns]
STEP_DOWN = 1_000_000
STEP_UP = 5_000_000
# The gate stays open for a shorter wait than this [ns].
SHORTEST_WAIT = 40_000_000


class GatedCallbackGroup(MutuallyExclusiveCallbackGroup):
    """A callback group whose entities are in the wait set only while `open` is true."""

    def __init__(self) -> None:
        super().__init__()
        self.open = True

    def can_execute(self, entity: Any) -> bool:
        return self.open and super().can_execute(entity)


class ArrivalEstimate:
    """Estimates when the image with a given stamp arrives. All times are in nanoseconds.

    Keeps the offset between the node's clock and the stamps: the delays of camera and transport
    and the difference of the clocks. An image that was ready when the gate opened had arrived
    earlier, so it lowers the offset by a small step: otherwise a gate that opens too late would
    never correct itself.
    """

    def __init__(self) -> None:
        self._offset: int | None = None

    def update(self, stamp: int, now: int, was_ready: bool = False) -> None:
        """Note an image taken at `now`; was_ready if it had arrived before the gate opened."""
        offset = now - stamp
        if self._offset is None or offset < self._offset:
            self._offset = offset
        if was_ready:
            self._offset -= STEP_DOWN
        else:  # follow an increase slowly: a single image may be late
            self._offset += min(offset - self._offset, STEP_UP)

    def arrival(self, stamp: int) -> int | None:
        """Return the estimated arrival on the node's clock; None before the first image."""
        return None if self._offset is None else stamp + self._offset

    def wait(self, stamp: int, now: int) -> int:
        """Return how long to close the gate before the image with this stamp; 0 for not at all."""
        arrival = self.arrival(stamp)
        if arrival is None:
            return 0
        wait = arrival + ARRIVAL_MARGIN - now
        return wait if wait >= SHORTEST_WAIT else 0
