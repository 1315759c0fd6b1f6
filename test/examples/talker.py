# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A node that says what the reward node would say, and spins beside the example under test."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from topreward_ros.msg import Progress, SuccessDetected
from topreward_ros.nodes.common.qos import QOS_RESULT

TASK = 'Close the drawer.'


def progress(value: float, stamp: float = 0.0, **fields: Any) -> Progress:
    """Return a Progress of this value and stamp [s], of episode 1 unless fields say otherwise."""
    defaults = {'episode': 1, 'task': TASK, 'latency': math.nan, 'normalization': 'fixed'}
    message = Progress(progress=value, **{**defaults, **fields})
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(round(stamp * 1e9), 10**9)
    return message


class Talker(Node):
    """Publishes on the topics of a reward node."""

    def __init__(self, *others: Node) -> None:
        super().__init__('talker')
        self._progress = self.create_publisher(Progress, 'topreward/progress', QOS_RESULT)
        self._success = self.create_publisher(
            SuccessDetected, 'topreward/success_detected', QOS_RESULT
        )
        self.executor_ = SingleThreadedExecutor()
        for each in (self, *others):
            self.executor_.add_node(each)

    def say(self, value: float, stamp: float = 0.0, **fields: Any) -> None:
        self._progress.publish(progress(value, stamp, **fields))

    def succeed(self, episode: int = 1) -> None:
        self._success.publish(SuccessDetected(episode=episode, task=TASK))

    def meet(self, progress: bool = True, success: bool = True) -> None:
        """Wait until someone subscribes."""
        for publisher, is_wanted in ((self._progress, progress), (self._success, success)):
            self.until(lambda p=publisher, w=is_wanted: not w or p.get_subscription_count())

    def until(self, condition: Callable[[], Any]) -> Any:
        """Spin until the condition holds, at most 30 s, and return its value."""
        deadline = time.monotonic() + 30
        while not (result := condition()):
            assert time.monotonic() < deadline
            self.executor_.spin_once(timeout_sec=0.05)
        return result

    def close(self) -> None:
        self.executor_.shutdown()
        self.destroy_node()
