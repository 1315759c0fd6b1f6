#!/usr/bin/env python3
# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A controller that listens: it slows an arm while progress falls, and stops it on success.

Publishes a factor from 0 to 1 for the speed of whatever moves the arm: std_msgs/Float64 on
~/speed_scale, ten times a second. A policy multiplies its steps by it, a servo node its velocities,
and stops where none arrives.

    python3 examples/listening_controller.py --ros-args -p time_limit:=2.0

The factor is 1 at the highest progress of the episode and falls evenly to `slowest`, where
progress is `fall` below it. It is 0 after a success until the next episode, and whenever the image
of the newest progress is older than `time_limit`: nobody moves by what was seen long ago. This is
no safety function.
"""

from __future__ import annotations

import contextlib
import math
import time

import rclpy
from rclpy.clock import Clock, ClockType
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from std_msgs.msg import Float64

from topreward_ros.msg import Progress, SuccessDetected

PERIOD = 0.1  # of the speed scale [s]


class SpeedScale:
    """The factor for the speed, from progress and success; times [s] are those of one clock."""

    def __init__(self, slowest: float = 0.2, fall: float = 0.3, time_limit: float = 2.0) -> None:
        if not 0 <= slowest <= 1 or not 0 < fall <= 1 or not 0 < time_limit < math.inf:
            raise ValueError(
                f'slowest is {slowest}, fall {fall} and time_limit {time_limit} s; expected 0 to '
                '1, more than 0 to 1, and more than 0'
            )
        self._slowest, self._fall, self._time_limit = slowest, fall, time_limit
        self._episode: int | None = None
        self._task = ''
        self._succeeded: int | None = None  # the episode that did
        self._seen = -math.inf  # when the newest scored image was taken
        self._progress = self._highest = math.nan

    def take_progress(self, message: Progress, now: float) -> None:
        """Process the next progress; another number or task is another episode."""
        if (message.episode, message.task) != (self._episode, self._task):
            self._episode, self._task = message.episode, message.task
            self._succeeded, self._highest = None, math.nan
        self._seen = now - (message.latency if message.latency > 0 else 0.0)  # NaN is not
        self._progress = message.progress
        if math.isfinite(message.progress):
            known = math.isfinite(self._highest)
            self._highest = max(message.progress, self._highest) if known else message.progress

    def take_success(self, message: SuccessDetected) -> None:
        """Process a success; it follows the progress that it was judged from."""
        if message.episode == self._episode:
            self._succeeded = message.episode

    def at(self, now: float) -> float:
        """Return the factor, 0 to 1."""
        if now - self._seen > self._time_limit or self._succeeded == self._episode:
            return 0.0
        if not math.isfinite(self._progress):
            return self._slowest
        fallen = min((self._highest - self._progress) / self._fall, 1.0)
        return 1.0 - fallen * (1.0 - self._slowest)


class ListeningController(Node):
    """Publishes the factor; the reward node is /topreward unless remapped."""

    def __init__(self) -> None:
        super().__init__('listening_controller')
        names = {'slowest': 0.2, 'fall': 0.3, 'time_limit': 2.0}
        values = {name: self.declare_parameter(name, value).value for name, value in names.items()}
        self._scale = SpeedScale(**values)
        self._publisher = self.create_publisher(Float64, '~/speed_scale', 1)
        self.create_subscription(Progress, 'topreward/progress', self._on_progress, 10)
        self.create_subscription(
            SuccessDetected, 'topreward/success_detected', self._on_success, 10
        )
        # On a clock that runs while simulated time stands still
        self.create_timer(PERIOD, self.publish, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def _on_progress(self, message: Progress) -> None:
        self._scale.take_progress(message, time.monotonic())

    def _on_success(self, message: SuccessDetected) -> None:
        self._scale.take_success(message)
        self.publish()  # at once

    def publish(self) -> None:
        self._publisher.publish(Float64(data=self._scale.at(time.monotonic())))


def main() -> None:
    rclpy.init()
    with contextlib.suppress(KeyboardInterrupt, ExternalShutdownException):
        rclpy.spin(ListeningController())


if __name__ == '__main__':
    main()
