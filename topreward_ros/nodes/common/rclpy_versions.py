# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Everything in which rclpy of Humble, Jazzy and Kilted differ, and what it keeps private."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# Where Humble has it; Kilted does not say that it is there still.
from rclpy.clock import Clock, ClockType  # type: ignore[attr-defined, unused-ignore]
from rclpy.exceptions import (
    InvalidParameterTypeException,
    InvalidParameterValueException,
    NameValidationException,
)
from rclpy.lifecycle import TransitionCallbackReturn

try:
    from rclpy.event_handler import SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks

# What names, arguments and parameters of a node that make no sense raise; RCLError, which rclpy
# keeps private, is a RuntimeError.
BAD_ARGUMENTS = (
    InvalidParameterTypeException,
    InvalidParameterValueException,
    NameValidationException,
    RuntimeError,
    ValueError,
)


def on_incompatible_qos(callback: Callable[[], None]) -> SubscriptionEventCallbacks:
    """Event callbacks of a subscription that a publisher's QoS does not fit."""
    return SubscriptionEventCallbacks(incompatible_qos=lambda _event: callback())


def steady_clock() -> Clock:
    """A clock that runs also while simulated time stands still."""
    return Clock(clock_type=ClockType.STEADY_TIME)


class StateMachine:
    """The lifecycle's state machine of a node, one call per arrow.

    rclpy runs a whole transition in one call that cannot wait for anything, and lets an illegal
    one end the process (Humble, Jazzy). The arrows themselves are the same in all of them.
    """

    def __init__(self, node: Any) -> None:
        self._machine = node._state_machine

    @property
    def state(self) -> str:
        return str(self._machine.current_state[1])

    def find(self, label: str) -> int | None:
        """The transition that is called so in the present state."""
        try:
            return int(self._machine.get_transition_by_label(label))
        except RuntimeError:  # rclpy's RCLError
            return None

    def begin(self, transition: int) -> bool:
        """Enter the transition's state; False if it does not start in the present one."""
        try:
            self._machine.trigger_transition_by_id(transition, True)
        except RuntimeError:
            return False
        return True

    def finish(self, result: TransitionCallbackReturn) -> None:
        """Leave the transition's state by the arrow of this result."""
        self._machine.trigger_transition_by_label(result.to_label(), True)
