# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A reward node with a scorer of the tests, and a camera that grows brighter, in one process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image
from std_msgs.msg import Float64

from topreward_ros.msg import Progress, SuccessDetected
from topreward_ros.nodes.common.qos import QOS_RESULT
from topreward_ros.nodes.reward.node import RewardNode

TASK = 'Make it bright.'
FPS = 4
COUNT = 12
NAMESPACE = '/toy'


def level(k: int, best: float) -> int:
    return round(255 * best * k / (COUNT - 1))


class Listener(Node):
    """A camera, and a subscriber to the results of the node."""

    def __init__(self) -> None:
        super().__init__('toy_listener', namespace=NAMESPACE)
        self.progress: list[Progress] = []
        self.successes: list[SuccessDetected] = []
        self.rewards: list[float] = []
        self.images = self.create_publisher(Image, 'image', 10)
        name = 'topreward'
        self.create_subscription(Progress, f'{name}/progress', self.progress.append, QOS_RESULT)
        self.create_subscription(
            SuccessDetected, f'{name}/success_detected', self.successes.append, QOS_RESULT
        )
        self.create_subscription(
            Float64, f'{name}/reward', lambda message: self.rewards.append(message.data), QOS_RESULT
        )

    def show(self, k: int) -> None:
        message = Image(height=48, width=64, encoding='rgb8', step=3 * 64)
        message.data = bytes([level(k, 1.0)]) * (48 * 64 * 3)
        stamp = message.header.stamp
        stamp.sec, stamp.nanosec = divmod(round(k * 1e9 / FPS), 10**9)
        self.images.publish(message)


class Stage:
    """The node and its listener; the node starts by itself."""

    def __init__(self, settings: dict[str, Any]) -> None:
        parameters = [
            Parameter(name, value=value)
            for name, value in {'model': 'toy', 'task': TASK, 'fps': float(FPS), **settings}.items()
        ]
        self.node = RewardNode(namespace=NAMESPACE, parameter_overrides=parameters)
        self.listener, self.executor = Listener(), SingleThreadedExecutor()
        for each in (self.node, self.listener):
            self.executor.add_node(each)

    def until(
        self, condition: Callable[[], Any], publish: Callable[[], None] = lambda: None
    ) -> Any:
        """Spin until the condition holds, at most 30 s, and return its value."""
        deadline, publish_time = time.monotonic() + 30, 0.0
        while not (result := condition()):
            assert time.monotonic() < deadline, self.node.state
            # Repeated, as an image is lost until both sides have discovered each other
            if time.monotonic() - publish_time > 1.0:
                publish_time = time.monotonic()
                publish()
            self.executor.spin_once(timeout_sec=0.05)
        return result

    def change(self, transition: int) -> bool:
        """Make a transition of the node and return whether it succeeded."""
        future = self.executor.create_task(self.node.change_state, transition)
        self.until(future.done)
        return bool(future.result())

    def start(self) -> None:
        self.executor.create_task(self.node.start_automatically)
        self.until(
            lambda: self.node.state == 'active' and self.listener.images.get_subscription_count()
        )

    def show_all(self) -> list[Progress]:
        """Show all images, each until it is scored, and return their messages."""
        listener = self.listener
        for k in range(COUNT):
            self.until(lambda k=k: len(listener.progress) > k, lambda k=k: listener.show(k))
        return listener.progress

    def close(self) -> None:
        self.executor.shutdown()
        self.node.close()
        for each in (self.node, self.listener):
            each.destroy_node()


@contextmanager
def staged(**settings: Any) -> Iterator[Stage]:
    """Provide a node with these parameters, unconfigured."""
    stage = Stage(settings)
    try:
        yield stage
    finally:
        stage.close()
