# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What brings scene and robot back to where an episode begins."""

from __future__ import annotations

from typing import Protocol

from topreward_ros.errors import TopRewardError


class ResetError(TopRewardError):
    """A reset that could not begin, or did not get there."""


class Reset(Protocol):
    """One way to reset."""

    def begin(self) -> None:
        """Start; raises ResetError with the reason where that cannot be."""
        ...

    def is_done(self) -> bool:
        """Whether it is over; raises ResetError where it has failed."""
        ...

    def stop(self) -> None:
        """End one that is under way."""
        ...

    def close(self) -> None:
        """Stop, and give back topics and services."""
        ...
