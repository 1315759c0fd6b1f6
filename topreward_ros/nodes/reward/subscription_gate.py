# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Opens a camera's subscription only when an image is wanted.

An rclpy callback that does nothing still costs milliseconds for a large image. While the gate is
shut the subscription is not in the executor's wait set, the middleware keeps the newest image, and
Python pays for the images it keeps.
"""

from __future__ import annotations

from typing import Any

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup

# The gate opens this long after the image is expected, so that it is there and not the one before.
MARGIN = 10_000_000  # [ns]
# How fast the estimate follows [ns]
STEP_DOWN = 1_000_000
STEP_UP = 5_000_000
# A wait shorter than this is not worth shutting the gate for [ns].
SHORTEST_WAIT = 40_000_000


class GatedCallbackGroup(MutuallyExclusiveCallbackGroup):
    """Its entities are waited for only while `open` is true."""

    def __init__(self) -> None:
        super().__init__()
        self.open = True

    def can_execute(self, entity: Any) -> bool:
        return self.open and super().can_execute(entity)


class ArrivalEstimate:
    """Tells when the image with a given stamp will be here.

    Keeps the offset between the node's clock and the stamps: the camera's and the transport's
    delay, and whatever the two clocks differ by. An image that lay ready when the gate opened came
    some time before, so it can only lower the offset, and does so a little each time: otherwise a
    gate that opens too late would never notice. All times are in nanoseconds.
    """

    def __init__(self) -> None:
        self._offset: int | None = None

    def see(self, stamp: int, now: int, lay_ready: bool = False) -> None:
        """An image was taken just now."""
        offset = now - stamp
        if self._offset is None or offset < self._offset:
            self._offset = offset
        if lay_ready:
            self._offset -= STEP_DOWN
        else:  # late once is not late always
            self._offset += min(offset - self._offset, STEP_UP)

    def arrival(self, stamp: int) -> int | None:
        """On the node's clock; None before any image was seen."""
        return None if self._offset is None else stamp + self._offset

    def wait(self, stamp: int, now: int) -> int:
        """How long to keep the gate shut for the image with this stamp; 0 to leave it open."""
        arrival = self.arrival(stamp)
        if arrival is None:
            return 0
        wait = arrival + MARGIN - now
        return wait if wait >= SHORTEST_WAIT else 0
