# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The interface of a reset, which returns the scene and the robot to the start of an episode."""

from __future__ import annotations

from typing import Protocol

from topreward_ros.errors import TopRewardError


class ResetError(TopRewardError):
    """A reset that could not start or did not succeed."""


class Reset(Protocol):
    """One way to reset."""

    @property
    def phase(self) -> str:
        """What is being done."""
        ...

    @property
    def distance(self) -> float:
        """The distance of the joint that is farthest from home [rad or m]; NaN if unknown."""
        ...

    def begin(self, task: str) -> None:
        """Start the reset for an episode with this task, empty for the reward node's own.

        Raises ResetError with the reason if that is not possible.
        """
        ...

    def is_done(self) -> bool:
        """Return whether the reset is complete; raises ResetError if it has failed."""
        ...

    def stop(self) -> str:
        """Stop a reset that is in progress; return why a motion goes on, empty if none does."""
        ...

    def close(self) -> None:
        """Stop, and destroy the publishers, subscriptions and clients."""
        ...
