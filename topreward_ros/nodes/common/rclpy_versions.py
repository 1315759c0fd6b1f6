# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Differences between rclpy of Humble, Jazzy and Kilted, and uses of its private attributes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import rclpy

# The path that Humble needs; Kilted still has it but does not export it to type checkers.
from rclpy.clock import Clock, ClockType  # type: ignore[attr-defined, unused-ignore]
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.logging import LoggingSeverity, set_logger_level  # type: ignore[attr-defined, unused-ignore]
from rclpy.subscription import Subscription

try:
    from rclpy.event_handler import SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks


def on_incompatible_qos(callback: Callable[[], None]) -> SubscriptionEventCallbacks:
    """Return event callbacks of a subscription; callback is called on an incompatible QoS."""
    return SubscriptionEventCallbacks(incompatible_qos=lambda _event: callback())


def with_message_info(callback: Callable[[Any, Any], None]) -> Callable[..., None]:
    """Return a callback of a subscription that passes on a message and the information on it.

    Humble gives none, which is then empty; Jazzy's is without the publisher.
    """
    if hasattr(Subscription, 'CallbackType'):
        return callback
    return lambda message: callback(message, {})


def is_from_node(node: Any, name: str, topic: str, info: Any) -> bool:
    """Return whether a message on a topic is from the node of this name, as far as can be told.

    info is that of `with_message_info`. A topic with one publisher is that node's, by whatever
    name. With several, the message must say that it is from one of a node of this name, which rclpy
    does not in every version; there may be two, as one that has crashed is seen for a while.
    """
    publishers = node.get_publishers_info_by_topic(topic)
    gid = bytes((info.get('publisher_gid') or {}).get('data') or b'')
    if not gid:
        return len(publishers) == 1
    if len(publishers) > 1:
        names = [f'{each.node_namespace.rstrip("/")}/{each.node_name}' for each in publishers]
        publishers = [each for each, its in zip(publishers, names, strict=True) if its == name]
    # Humble pads the one of the graph to 24 bytes.
    return gid in [bytes(each.endpoint_gid)[: len(gid)] for each in publishers]


def init_rclpy(args: list[str] | None, **options: Any) -> None:
    """Initialise rclpy; KeyboardInterrupt if it was interrupted before any node exists.

    rclpy shuts down on an interrupt, and what is made after that fails with an error of its own.
    """
    rclpy.init(args=args, **options)
    if not rclpy.ok():
        raise KeyboardInterrupt


@contextmanager
def silent_rcl() -> Iterator[None]:
    """Let rcl log nothing of wrong arguments: the exception says all of it."""
    set_logger_level('rcl', LoggingSeverity.FATAL)
    try:
        yield
    finally:
        set_logger_level('rcl', LoggingSeverity.UNSET)


@contextmanager
def lost_interrupts() -> Iterator[None]:
    """Raise KeyboardInterrupt for an error that rclpy made of an interrupt, after `init_rclpy`."""
    try:
        yield
    except Exception as error:
        if rclpy.ok():
            raise
        raise KeyboardInterrupt from error


def given_parameters(node: Any) -> dict[str, Any]:
    """Return the parameters that were given at start, by name; declaring takes its values here."""
    return cast(dict[str, Any], node._parameter_overrides)


def steady_clock() -> Clock:
    """Return a clock that runs even while simulated time does not."""
    return Clock(clock_type=ClockType.STEADY_TIME)


class StateMachine:
    """The lifecycle state machine of a node, with separate calls to begin and finish a transition.

    rclpy runs a whole transition in one call that cannot await anything, and an illegal transition
    can end the process (Humble, Jazzy). The state machine is the same in all versions.
    """

    def __init__(self, node: Any) -> None:
        self._machine = node._state_machine
        self._is_closed = False

    @property
    def state(self) -> str:
        return str(self._machine.current_state[1])

    def find(self, label: str) -> int | None:
        """Return the id of the transition with this label in the current state, or None."""
        try:
            return int(self._machine.get_transition_by_label(label))
        except RuntimeError:  # rclpy's RCLError
            return None

    def begin(self, transition: int) -> bool:
        """Enter the state of a transition; False if it does not start in the current state."""
        try:
            self._machine.trigger_transition_by_id(transition, True)
        except RuntimeError:
            return False
        return True

    def close(self) -> None:
        """Release the node: destroying it does not, and others would see it for seconds more."""
        self._is_closed = True
        self._machine.destroy_when_not_in_use()

    def finish(self, result: TransitionCallbackReturn) -> None:
        """Leave the state of the transition, according to its result; nothing once it is closed."""
        if not self._is_closed:
            self._machine.trigger_transition_by_label(result.to_label(), True)
