# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The life of a process that runs nodes: its start, its loop, and its end."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor

from topreward_ros import interrupts

from .argument_errors import reason

SIGNAL_PERIOD = 0.2  # between two checks for a signal [s]
SPIN_PERIOD = 0.02  # of `spin_for` [s]
ANSWER_TIME = 0.3  # for the answers that wait when a node ends [s]


def spin(executor: SingleThreadedExecutor) -> None:
    """Spin until a signal or the end of the middleware."""
    with suppress(ExternalShutdownException):
        while not is_ending():
            executor.spin_once(timeout_sec=SIGNAL_PERIOD)


def spin_for(executor: SingleThreadedExecutor, seconds: float) -> None:
    """Spin at least once, and until this time [s] is over.

    Every call has the same timeout: with another one, rclpy forgets what it has found ready and
    begins with the coroutines that wait. With one that shrinks it would come to nothing else.
    Raises ExternalShutdownException once the middleware has ended.
    """
    end = time.monotonic() + seconds
    while True:
        if not executor.context.ok():
            raise ExternalShutdownException
        executor.spin_once(timeout_sec=SPIN_PERIOD)
        if time.monotonic() >= end:
            return


def send_answers(executor: SingleThreadedExecutor) -> None:
    """Spin for a moment, so that calls which can be answered now are."""
    with suppress(ExternalShutdownException):
        spin_for(executor, ANSWER_TIME)


def is_ending() -> bool:
    """Whether a signal or the end of the middleware asks the process to end."""
    return interrupts.was_received() or not rclpy.ok()


def report(error: Exception) -> None:
    """Print why the process does not start."""
    print(f'{Path(sys.argv[0]).stem}: {reason(error)}', file=sys.stderr)


@contextmanager
def closing() -> Iterator[list[Callable[[], object]]]:
    """Make the calls that were added to the list, the last first, and end the middleware."""
    calls: list[Callable[[], object]] = []
    try:
        yield calls
    finally:
        with ExitStack() as stack:  # one that fails does not stop the others
            stack.callback(rclpy.try_shutdown)
            for call in calls:
                stack.callback(call)
