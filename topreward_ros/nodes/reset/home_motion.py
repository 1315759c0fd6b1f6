# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A reset that sends the arm to its home pose, and sees from the joint states that it is there."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from builtin_interfaces.msg import Duration as DurationMessage
from rclpy.duration import Duration
from rclpy.node import Node
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from ..common.monotonic_clock import ForwardClock
from ..common.qos import QOS_COMMAND, QOS_JOINT_STATES
from .reset import ResetError
from .settings import ResetSettings

SHORTEST_MOTION = 0.5  # [s]
LONGEST_MOTION = 600.0  # [s]
STOP_TIME = 0.3  # to come to rest, when a motion is stopped [s]
REST_TIME = 0.2  # within the tolerance for so long is arrived, not passing by [s]
MARGIN = 0.2  # by which a joint may be seen outside its limits [rad or m]
DELIVERY_TIME = 1.0  # for a stop to reach the controller before its publisher is gone [s]


@dataclass(frozen=True)
class JointReading:
    """What was read of a joint: position and velocity [rad, rad/s or m, m/s], and when [s]."""

    position: float
    velocity: float
    heard: float


class HomeMotion:
    """Sends one trajectory to a controller, and sees from the joint states whether it is done.

    Timed by a ForwardClock, as controllers follow simulated time, however slow that is.
    """

    def __init__(self, node: Node, settings: ResetSettings) -> None:
        self._node = node
        self._settings = settings
        self._moving = False
        self._arrived = False
        self._clock = ForwardClock(node)
        self._ends = 0.0  # when the trajectory that was sent is over [s]
        self._near_since: float | None = None
        self._seen: dict[str, JointReading] = {}
        self._others: set[str] = set()  # names of joints that are not ours
        self._publisher = node.create_publisher(
            JointTrajectory, settings.trajectory_topic, QOS_COMMAND
        )
        self._subscription = node.create_subscription(
            JointState, settings.joint_states_topic, self._on_joint_state, QOS_JOINT_STATES
        )

    def begin(self) -> None:
        # Joint states do not grow old then, and the way home would have no end.
        if problem := self._clock.problem(self._settings.joint_state_timeout):
            raise ResetError(f'{problem}: start the simulator, or set it to false')
        where = self._where()
        self._check_limits(where)
        if not self._publisher.get_subscription_count():
            raise ResetError(
                f'no controller listens to {self._publisher.topic_name}; start it, or set '
                'trajectory_topic to the one that does'
            )
        longest = max(abs(a - b) for a, b in zip(where, self._settings.home, strict=True))
        seconds = max(SHORTEST_MOTION, longest / self._settings.speed)
        if seconds > LONGEST_MOTION:
            raise ResetError(
                f'the way home would take {seconds:.0f} s at {self._settings.speed} a second; '
                f'expected at most {LONGEST_MOTION:.0f} s'
            )
        self._ends = self._clock.now() + seconds
        self._near_since = None
        self._moving, self._arrived = True, False
        self._send(self._settings.home, seconds)

    def is_done(self) -> bool:
        if self._arrived:
            self._moving = False
            return True
        try:
            where = self._where()
        except ResetError:
            self.stop()
            raise
        if self._clock.now() > self._ends + self._settings.reset_time_limit:
            apart = [abs(a - b) for a, b in zip(where, self._settings.home, strict=True)]
            worst = apart.index(max(apart))
            self.stop()
            raise ResetError(
                f'{self._settings.joints[worst]} is at {where[worst]:.3f} and did not come to '
                f'rest at {self._settings.home[worst]:.3f} within {self._settings.tolerance} in '
                'time'
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
            self._where()
        except ResetError as error:
            self._node.get_logger().error(
                f'the motion is not stopped and comes to its own end: {error}'
            )
            return
        settings = self._settings
        rows = zip(settings.joints, settings.lower_limits, settings.upper_limits, strict=True)
        self._send([self._rest(self._seen[joint], *limits) for joint, *limits in rows], STOP_TIME)
        self._publisher.wait_for_all_acked(Duration(seconds=DELIVERY_TIME))

    def close(self) -> None:
        self.stop()
        self._node.destroy_subscription(self._subscription)
        self._node.destroy_publisher(self._publisher)

    def _rest(self, seen: JointReading, low: float, high: float) -> float:
        """Where a joint comes to rest, whatever its driver says of its velocity."""
        most = 2 * self._settings.speed  # of a smooth motion in its middle
        velocity = min(max(seen.velocity, -most), most)
        age = self._clock.now() - seen.heard
        there = seen.position + velocity * (age + STOP_TIME / 2)
        return min(max(there, min(low, seen.position)), max(high, seen.position))

    def _check_limits(self, where: list[float]) -> None:
        settings = self._settings
        rows = zip(
            settings.joints, where, settings.lower_limits, settings.upper_limits, strict=True
        )
        for joint, position, low, high in rows:
            if not low - MARGIN <= position <= high + MARGIN:
                raise ResetError(
                    f'{joint} is said to be at {position:.6g}, outside its limits {low} to {high}; '
                    'expected radians or metres within them'
                )

    def _send(self, positions: Any, seconds: float) -> None:
        nanoseconds = round(seconds * 1e9)
        count = len(self._settings.joints)
        point = JointTrajectoryPoint(
            positions=[float(position) for position in positions],
            # At rest in the end, which also makes the controller's way there a smooth one
            velocities=[0.0] * count,
            accelerations=[0.0] * count,
            time_from_start=DurationMessage(sec=nanoseconds // 10**9, nanosec=nanoseconds % 10**9),
        )
        # A stamp of zero: from now on
        self._publisher.publish(
            JointTrajectory(joint_names=list(self._settings.joints), points=[point])
        )

    def _on_joint_state(self, message: JointState) -> None:
        now = self._clock.now()
        # Some drivers send no velocities, or fewer, and grippers apart from arms.
        velocities = dict(zip(message.name, message.velocity, strict=False))
        for joint, position in zip(message.name, message.position, strict=False):
            if joint not in self._settings.joints:
                if len(self._others) < 100:
                    self._others.add(joint)
            elif math.isfinite(position):
                velocity = velocities.get(joint, 0.0)
                self._seen[joint] = JointReading(
                    position, velocity if math.isfinite(velocity) else 0.0, now
                )
        if self._moving and not self._arrived:
            self._judge(now)

    def _judge(self, now: float) -> None:
        """Arrived is told by what is heard, after the way's own time, and over some time."""
        settings = self._settings
        homes = zip(settings.joints, settings.home, strict=True)
        off = max(abs(self._seen[joint].position - home) for joint, home in homes)
        if off > settings.tolerance or now < self._ends:
            self._near_since = None
        elif self._near_since is None:
            self._near_since = now
        else:
            rested = min(seen.heard for seen in self._seen.values()) - self._near_since
            self._arrived = rested >= REST_TIME

    def _where(self) -> list[float]:
        """The present positions of the joints; ResetError where they are not known."""
        settings, topic = self._settings, self._subscription.topic_name
        if not self._seen and not self._others:
            raise ResetError(
                f'no joint states on {topic}; start the driver, or set joint_states_topic to its '
                'topic'
            )
        if unknown := [joint for joint in settings.joints if joint not in self._seen]:
            raise ResetError(
                f'no position of {", ".join(unknown)} on {topic}, which tells of '
                f'{", ".join(sorted({*self._seen, *self._others}))}'
            )
        age = self._clock.now() - min(seen.heard for seen in self._seen.values())
        if age > settings.joint_state_timeout:
            raise ResetError(
                f'no joint states on {topic} for {age:.1f} s; expected one every '
                f'{settings.joint_state_timeout} s'
            )
        return [self._seen[joint].position for joint in settings.joints]
