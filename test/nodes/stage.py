# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The episode reset node with its counterparts, over DDS."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lifecycle_msgs.msg import Transition
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from std_srvs.srv import Trigger

from topreward_ros.nodes.reset.node import EpisodeResetNode

from .fakes import JOINTS, NAMESPACE, FakeRewardNode

HOME = [0.1, 0.2]
MOTION = {
    'reset': 'home_motion',
    'trajectory_topic': 'arm/joint_trajectory',
    'joints': list(JOINTS),
    'home': HOME,
    'lower_limits': [-1.0, -1.0],
    'upper_limits': [1.0, 1.0],
    'speed': 1.5,
    'reset_time_limit': 1.5,
    'joint_state_timeout': 1.5,
}


class Stage:
    """The reset node and its counterparts on one executor."""

    def __init__(self, folder: Path) -> None:
        self.executor = SingleThreadedExecutor()
        self.nodes: list[Node] = []
        self.log = folder / 'log' / 'episodes.csv'
        self.reward = self.add(FakeRewardNode())
        self.client: Any = None
        self.node: Any = None

    def add(self, node: Any) -> Any:
        self.executor.add_node(node)
        self.nodes.append(node)
        return node

    def start(self, activate: bool = True, **values: Any) -> EpisodeResetNode:
        values = {
            'settle_time': 0.0,
            'log_file': str(self.log),
            'diagnostics_period': 0.1,
            **values,
        }
        overrides = [Parameter(name, value=value) for name, value in values.items()]
        self.node = self.add(EpisodeResetNode(namespace=NAMESPACE, parameter_overrides=overrides))
        self.client = self.reward.create_client(Trigger, 'episode_reset/reset')
        assert self.change('CONFIGURE')
        if activate:
            assert self.change('ACTIVATE')
            self.until(lambda: self.reward.episode == 1)
        return self.node

    def change(self, transition: str) -> bool:
        number = getattr(Transition, f'TRANSITION_{transition}')
        task = self.executor.create_task(self.node.change_state, number)
        self.until(task.done)
        return bool(task.result())

    def call(self) -> Trigger.Response:
        self.until(self.client.service_is_ready)
        answer = self.client.call_async(Trigger.Request())
        self.until(answer.done)
        return answer.result()

    def until(self, condition: Callable[[], Any], seconds: float = 15.0) -> None:
        end = time.monotonic() + seconds
        while not condition():
            self.executor.spin_once(timeout_sec=0.05)
            assert time.monotonic() < end, f'not true after {seconds} s; {self.rows()}'

    def spin(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.executor.spin_once(timeout_sec=0.02)

    def succeed_until(self, condition: Callable[[], Any]) -> None:
        """Publish a success, repeatedly until both sides have discovered each other."""
        episode, publish_time = self.reward.episode, 0.0

        def done() -> Any:
            nonlocal publish_time
            if time.monotonic() - publish_time > 0.5:
                publish_time = time.monotonic()
                self.reward.finish(episode)
            return condition()

        self.until(done)

    def rows(self) -> list[dict[str, str]]:
        if not self.log.exists():
            return []
        with self.log.open(encoding='utf-8', newline='') as stream:
            return list(csv.DictReader(stream))

    def close(self) -> None:
        for node in self.nodes:
            if isinstance(node, EpisodeResetNode):
                node.close()
            node.destroy_node()
        self.executor.shutdown()
