# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Conditions for behaviour trees of py_trees, from the messages of the reward node.

    tree = Parallel('try', policy=ParallelPolicy.SuccessOnOne())
    tree.add_children([RunPolicy(), SucceededWithin(30.0)])

Each is given a node by `setup`, as py_trees_ros does, and the node has to be spun:

    py_trees.trees.BehaviourTree(tree).setup(node=node)
"""

from __future__ import annotations

import math
import time
from typing import Any

from py_trees.behaviour import Behaviour
from py_trees.common import Status

from topreward_ros.msg import Progress, SuccessDetected
from topreward_ros.reward.events import EventDetector, EventOptions
from topreward_ros.reward.live import Step
from topreward_ros.reward.success import Scene

NANOSECONDS = 1_000_000_000


class SucceededWithin(Behaviour):
    """Runs until success, and fails if there is none within so many seconds since it began.

    A success before it began is of an earlier attempt and does not count.
    """

    def __init__(self, seconds: float, reward_node: str = 'topreward', name: str = '') -> None:
        super().__init__(name or f'succeeded within {seconds:g} s')
        self._seconds, self._topic = positive(seconds), f'{reward_node}/success_detected'
        self._deadline = -math.inf
        self._success: SuccessDetected | None = None

    def setup(self, **kwargs: Any) -> None:
        """Subscribe; raises KeyError without a node."""
        kwargs['node'].create_subscription(SuccessDetected, self._topic, self._on_success, 10)

    def _on_success(self, message: SuccessDetected) -> None:
        self._success = message

    def initialise(self) -> None:
        self._success, self._deadline = None, time.monotonic() + self._seconds

    def update(self) -> Status:
        if self._success is not None:
            self.feedback_message = f'episode {self._success.episode}: {self._success.task}'
            return Status.SUCCESS
        if time.monotonic() > self._deadline:
            self.feedback_message = 'time is up'
            return Status.FAILURE
        return Status.RUNNING


class ProgressStalled(Behaviour):
    """Succeeds while progress has not risen by `rise` in so many seconds of image time, else fails.

    It never runs: a condition, from the first tick on. Judged as the node's event `stalled`: not
    of a scene that looks finished.
    """

    def __init__(
        self, seconds: float, rise: float = 0.05, reward_node: str = 'topreward', name: str = ''
    ) -> None:
        super().__init__(name or f'progress stalled for {seconds:g} s')
        self._options = EventOptions(positive(seconds), positive(rise), regress_fall=0.0)
        self._topic = f'{reward_node}/progress'
        self._episode: tuple[int, str] | None = None
        self._detector = EventDetector(self._options)

    def setup(self, **kwargs: Any) -> None:
        """Subscribe; raises KeyError without a node."""
        kwargs['node'].create_subscription(Progress, self._topic, self._on_progress, 10)

    def _on_progress(self, message: Progress) -> None:
        if self._episode != (message.episode, message.task):
            self._episode = message.episode, message.task
            self._detector = EventDetector(self._options)
        stamp = message.header.stamp
        is_finished = message.scene in (message.SCENE_FINISHED, message.SCENE_FINISHED_AT_START)
        scene = Scene.FINISHED if is_finished else Scene.UNFINISHED
        step = Step(message.progress, message.reward, None, message.normalization, scene)
        self._detector.update(step, stamp.sec + stamp.nanosec / NANOSECONDS)

    def update(self) -> Status:
        return Status.SUCCESS if self._detector.is_stalled else Status.FAILURE


def positive(value: float) -> float:
    """Return the value; ValueError unless it is a number above 0."""
    if not 0 < value < math.inf:
        raise ValueError(f'{value} given; expected a number above 0')
    return value
