# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The ways to bring scene and robot back to where an episode begins."""

from __future__ import annotations

import math
from typing import Any, Protocol

from builtin_interfaces.msg import Duration
from rclpy.node import Node
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from ..scoring.errors import TopRewardError
from .qos import COMMAND, JOINT_STATES
from .reset_settings import ResetSettings

SHORTEST_MOTION = 0.5  # [s]
STOP_TIME = 0.3  # to come to rest, when a motion is stopped [s]
REST_TIME = 0.2  # within the tolerance for so long is arrived, not passing by [s]


class ResetError(TopRewardError):
    """A reset that could not begin, or did not get there."""


class Reset(Protocol):
    """One way to reset. Times [s] are the node's clock."""

    def begin(self, now: float) -> None:
        """Start; raises ResetError with the reason where that cannot be."""
        ...

    def is_done(self, now: float) -> bool:
        """Whether it is over; raises ResetError where it has failed."""
        ...

    def stop(self) -> None:
        """End one that is under way; nothing moves afterwards."""
        ...

    def close(self) -> None:
        """Stop, and give back topics and services."""
        ...


def make_reset(node: Node, settings: ResetSettings) -> Reset:
    kinds: dict[str, type[TriggerReset] | type[HomeMotion]] = {
        'trigger': TriggerReset,
        'home_motion': HomeMotion,
    }
    return kinds[settings.reset](node, settings)


class TriggerReset:
    """Calls a Trigger service of the scene or robot and believes its answer."""

    def __init__(self, node: Node, settings: ResetSettings) -> None:
        self._node = node
        self._settings = settings
        self._client: Any = node.create_client(Trigger, settings.trigger_service)
        self._name = node.resolve_service_name(settings.trigger_service)
        self._answer: Any = None
        self._until = 0.0

    def begin(self, now: float) -> None:
        if not self._client.service_is_ready():
            raise ResetError(
                f'nobody offers the service {self._name}; start it, or set '
                'trigger_service to another'
            )
        self._until = now + self._settings.reset_time_limit
        self._answer = self._client.call_async(Trigger.Request())

    def is_done(self, now: float) -> bool:
        if self._answer.done():
            answer = self._answer.result()
            self._answer = None
            if not answer.success:
                raise ResetError(f'{self._name} says: {answer.message or "no success"}')
            return True
        if now > self._until:
            self.stop()
            raise ResetError(f'{self._name} gave no answer in {self._settings.reset_time_limit} s')
        return False

    def stop(self) -> None:
        if self._answer is not None:
            self._client.remove_pending_request(self._answer)
            self._answer = None

    def close(self) -> None:
        self.stop()
        self._node.destroy_client(self._client)


class HomeMotion:
    """Sends one trajectory to a controller, and sees from the joint states whether it is done."""

    def __init__(self, node: Node, settings: ResetSettings) -> None:
        self._node = node
        self._settings = settings
        self._moving = False
        self._until = 0.0
        self._near_since: float | None = None
        # Position and velocity of each joint, and when they were told by the node's clock
        self._seen: dict[str, tuple[float, float, float]] = {}
        self._told: set[str] = set()  # names in the newest message
        self._publisher = node.create_publisher(JointTrajectory, settings.trajectory_topic, COMMAND)
        self._subscription = node.create_subscription(
            JointState, settings.joint_states_topic, self._on_joint_state, JOINT_STATES
        )

    def begin(self, now: float) -> None:
        where = self._where(now)
        if not self._publisher.get_subscription_count():
            raise ResetError(
                f'no controller listens to {self._publisher.topic_name}; start it, or set '
                'trajectory_topic to the one that does'
            )
        longest = max(abs(a - b) for a, b in zip(where, self._settings.home, strict=True))
        seconds = max(SHORTEST_MOTION, longest / self._settings.speed)
        self._until = now + seconds + self._settings.reset_time_limit
        self._near_since = None
        self._moving = True
        self._send(self._settings.home, seconds)

    def is_done(self, now: float) -> bool:
        try:
            where = self._where(now)
        except ResetError:
            self.stop()
            raise
        apart = [abs(a - b) for a, b in zip(where, self._settings.home, strict=True)]
        if max(apart) > self._settings.tolerance:
            self._near_since = None
        elif self._near_since is None:
            self._near_since = now
        elif now - self._near_since >= REST_TIME:
            self._moving = False
            return True
        if now > self._until:
            worst = apart.index(max(apart))
            self.stop()
            raise ResetError(
                f'{self._settings.joints[worst]} is at {where[worst]:.3f} and did not come to '
                f'{self._settings.home[worst]:.3f} within {self._settings.tolerance} in time'
            )
        return False

    def stop(self) -> None:
        """Bring the joints to rest where they are.

        A controller takes no empty trajectory, so it is sent one to where the joints come to rest
        from their present speed. Where that is not known, a stop could be a jump backwards: then
        the motion that was sent comes to its own end.
        """
        if not self._moving:
            return
        self._moving = False
        try:
            self._where(self._now())
        except ResetError as error:
            self._node.get_logger().error(f'the motion cannot be stopped: {error}')
            return
        settings = self._settings
        rows = zip(settings.joints, settings.lower_limits, settings.upper_limits, strict=True)
        rest = []
        for joint, low, high in rows:
            position, velocity, _ = self._seen[joint]
            rest.append(min(max(position + velocity * STOP_TIME / 2, low), high))
        self._send(rest, STOP_TIME)

    def close(self) -> None:
        self.stop()
        self._node.destroy_subscription(self._subscription)
        self._node.destroy_publisher(self._publisher)

    def _send(self, positions: Any, seconds: float) -> None:
        nanoseconds = round(seconds * 1e9)
        point = JointTrajectoryPoint(
            positions=[float(position) for position in positions],
            # At rest in the end, which also makes the controller's way there a smooth one
            velocities=[0.0] * len(self._settings.joints),
            accelerations=[0.0] * len(self._settings.joints),
            time_from_start=Duration(sec=nanoseconds // 10**9, nanosec=nanoseconds % 10**9),
        )
        # A stamp of zero: from now on
        self._publisher.publish(
            JointTrajectory(joint_names=list(self._settings.joints), points=[point])
        )

    def _on_joint_state(self, message: JointState) -> None:
        now = self._now()
        self._told = set(message.name)
        # Some drivers send no velocities, and grippers apart from arms.
        velocities = message.velocity or [0.0] * len(message.name)
        rows = zip(message.name, message.position, velocities, strict=False)
        for joint, position, velocity in rows:
            if joint in self._settings.joints and math.isfinite(position):
                self._seen[joint] = position, velocity if math.isfinite(velocity) else 0.0, now

    def _now(self) -> float:
        return float(self._node.get_clock().now().nanoseconds / 1e9)

    def _where(self, now: float) -> list[float]:
        """The present positions of the joints; ResetError where they are not known."""
        settings, topic = self._settings, self._subscription.topic_name
        if not self._told:
            raise ResetError(
                f'no joint states on {topic}; start the driver, or set joint_states_topic to its '
                'topic'
            )
        if unknown := [joint for joint in settings.joints if joint not in self._seen]:
            raise ResetError(
                f'no position of {", ".join(unknown)} on {topic}, which tells of '
                f'{", ".join(sorted(self._told))}'
            )
        age = now - min(time for *_, time in self._seen.values())
        if age > settings.joint_state_timeout:
            raise ResetError(
                f'no joint states on {topic} for {age:.1f} s; expected one every '
                f'{settings.joint_state_timeout} s'
            )
        return [self._seen[joint][0] for joint in settings.joints]
