# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The counterparts of an episode reset node: an arm, a reward node and a scene for tests."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.task import Future
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from topreward_ros.msg import Progress, SuccessDetected
from topreward_ros.nodes.common.qos import QOS_RESULT, QOS_TASK

JOINTS = ('shoulder', 'elbow')
NAMESPACE = '/stage'  # the shared reward node of other tests may run without a namespace


class FakeArm(Node):
    """Follows trajectories, or misbehaves in the given manner.

    positions are those of its joints; commands are the trajectories it has received.
    """

    def __init__(self, manner: str = 'follows', **options: Any) -> None:
        super().__init__('fake_arm', namespace=NAMESPACE, **options)
        self.manner = manner
        self.positions = [0.8, -0.6]
        self.commands: list[JointTrajectory] = []
        self._motion: tuple[float, float, list[float], list[float]] | None = None
        self.create_subscription(JointTrajectory, 'arm/joint_trajectory', self._on_command, 10)
        self._states = self.create_publisher(JointState, 'joint_states', 10)
        self.create_timer(0.02, self._step)

    def _on_command(self, message: JointTrajectory) -> None:
        self.commands.append(message)
        assert tuple(message.joint_names) == JOINTS
        assert message.header.stamp.sec == message.header.stamp.nanosec == 0
        (point,) = message.points
        seconds = point.time_from_start.sec + point.time_from_start.nanosec / 1e9
        goal = list(point.positions)
        if self.manner == 'lags':
            seconds *= 2
        if self.manner in ('stops short', 'stands'):
            share = 0.8 if self.manner == 'stops short' else 0.0
            goal = [a + share * (b - a) for a, b in zip(self.positions, goal, strict=True)]
        self._motion = self._now(), seconds, list(self.positions), goal

    def _step(self) -> None:
        velocities = [0.0, 0.0]
        if self._motion:
            began, seconds, start, goal = self._motion
            share = min(1.0, (self._now() - began) / seconds)
            self.positions = [a + share * (b - a) for a, b in zip(start, goal, strict=True)]
            if share < 1:
                velocities = [(b - a) / seconds for a, b in zip(start, goal, strict=True)]
            if self.manner == 'goes silent' and share > 0.3:
                return
        if self.manner == 'is silent':
            return
        if self.manner == 'passes by' and self._motion and self._now() - self._motion[0] > 0.1:
            self._publish_state(JOINTS, self._motion[3], [1.5, 1.5])
            self.manner = 'is silent'
            return
        if self.manner == 'publishes degrees':
            self._publish_state(
                JOINTS, [math.degrees(position) for position in self.positions], velocities
            )
            return
        if self.manner == 'publishes nonsense':
            self._states.publish(JointState())
            self._states.publish(JointState(name=list(JOINTS), position=[math.nan, 1e300][:1]))
            self._states.publish(JointState(name=['x'] * 300, position=[1e300] * 2))
            velocities = [-60.0, math.inf]
        names = JOINTS if self.manner != 'is another' else ('wheel', 'door')
        self._publish_state(names, self.positions, velocities)

    def _publish_state(
        self, names: Sequence[str], positions: list[float], velocities: list[float]
    ) -> None:
        message = JointState(name=[*names, 'gripper'])
        message.position = [*positions, 0.1]
        message.velocity = [*velocities, 0.0]
        self._states.publish(message)

    def _now(self) -> float:
        return float(self.get_clock().now().nanoseconds / 1e9)


class FakeRewardNode(Node):
    """Counts the episodes that it starts; the test publishes progress and success through it."""

    def __init__(self) -> None:
        super().__init__('topreward', namespace=NAMESPACE)
        self.episode = 0
        self.tasks: list[str] = []
        self.answers_start = True
        self.answer = ''  # in place of the number of the episode
        self.delay = 0.0  # before an episode starts [s]
        self.calls = 0  # of ~/start_episode
        self.frames = 0  # of the newest progress
        self._progress = self.create_publisher(Progress, '~/progress', QOS_RESULT)
        self._success = self.create_publisher(SuccessDetected, '~/success_detected', QOS_RESULT)
        self.create_subscription(String, '~/task', lambda m: self.tasks.append(m.data), QOS_TASK)
        group = ReentrantCallbackGroup()
        self.create_service(Trigger, '~/start_episode', self._on_start, callback_group=group)

    async def _on_start(self, _request: Any, response: Trigger.Response) -> Trigger.Response:
        self.calls += 1
        if self.delay:
            later = Future(executor=self.executor)
            timer = self.create_timer(self.delay, lambda: later.set_result(None))
            await later
            timer.cancel()
        self.episode += self.answers_start
        response.success = self.answers_start
        response.message = self.answer or f'episode {self.episode}'
        return response

    @property
    def task(self) -> str:
        return self.tasks[-1] if self.tasks else ''

    def publish_progress(self, progress: float, episode: int | None = None, **fields: Any) -> None:
        """Publish a progress; its key is new unless it is given by `frames`."""
        self.frames += 1
        fields = {'frames': self.frames, 'episode': self._number(episode), **fields}
        self._progress.publish(Progress(task=self.task, progress=progress, **fields))

    def succeed(self, episode: int | None = None, **fields: Any) -> None:
        """Publish the success that belongs to the newest progress."""
        fields = {'frames': self.frames, 'episode': self._number(episode), **fields}
        self._success.publish(SuccessDetected(task=self.task, **fields))

    def finish(self, episode: int | None = None) -> None:
        """Publish a progress and its success."""
        self.publish_progress(0.97, episode, scene=Progress.SCENE_FINISHED)
        self.succeed(episode)

    def _number(self, episode: int | None) -> int:
        return self.episode if episode is None else episode


class FakeScene(Node):
    """A scene with a reset service; with answer None it responds when `waiting` is completed."""

    def __init__(self, answer: bool | None = True) -> None:
        super().__init__('scene', namespace=NAMESPACE)
        self.answer = answer
        self.resets = 0
        self.on_reset: Callable[[], None] = lambda: None
        self.waiting: list[Any] = []  # futures of calls without a response
        group = ReentrantCallbackGroup()  # a call without a response must not block others
        self.create_service(Trigger, 'reset_scene', self._on_reset, callback_group=group)

    async def _on_reset(self, _request: Any, response: Trigger.Response) -> Trigger.Response:
        self.resets += 1
        self.on_reset()
        answer = self.answer
        if answer is None:
            self.waiting.append(Future(executor=self.executor))
            answer = await self.waiting[-1]
        response.success, response.message = bool(answer), 'the lid is stuck'
        return response
