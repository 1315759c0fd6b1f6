# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A reset that moves the arm to its home pose and checks its arrival in the joint states."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from builtin_interfaces.msg import Duration as DurationMessage
from rclpy.duration import Duration
from rclpy.node import Node
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from ..common.monotonic_clock import MonotonicClock
from ..common.qos import QOS_COMMAND, QOS_JOINT_STATES
from .reset import ResetError
from .settings import ResetSettings

SHORTEST_MOTION = 0.5  # [s]
LONGEST_MOTION = 600.0  # [s]
STOP_TIME = 0.3  # for the joints to come to rest when a motion is stopped [s]
REST_TIME = 0.2  # within the tolerance before the arm counts as arrived, not as passing by [s]
LIMIT_MARGIN = 0.2  # by which a measured position may exceed its limits [rad or m]
DELIVERY_TIME = 1.0  # for a stop to reach the controller before the publisher is destroyed [s]


@dataclass(frozen=True)
class JointReading:
    """A measured joint: position and velocity [rad, rad/s or m, m/s], and the time received [s]."""

    position: float
    velocity: float
    received: float


class HomeMotion:
    """Sends one trajectory to a controller and follows the motion in the joint states.

    Timed by a MonotonicClock, as controllers follow simulated time, however slow it is.
    """

    def __init__(self, node: Node, settings: ResetSettings) -> None:
        self._node = node
        self._settings = settings
        self._moving = False
        self._arrived = False
        self._clock = MonotonicClock(node)
        self._end_time = 0.0  # end of the trajectory that was sent [s]
        self._near_since: float | None = None
        self._readings: dict[str, JointReading] = {}
        self._others: set[str] = set()  # names of joints that are not in the parameter joints
        self._publisher = node.create_publisher(
            JointTrajectory, settings.trajectory_topic, QOS_COMMAND
        )
        self._subscription = node.create_subscription(
            JointState, settings.joint_states_topic, self._on_joint_state, QOS_JOINT_STATES
        )

    def begin(self) -> None:
        # Without time, joint states would never become stale and the motion would never end.
        if problem := self._clock.problem(self._settings.joint_state_timeout):
            raise ResetError(f'{problem}: start the simulator, or set use_sim_time to false')
        positions = self._positions()
        self._check_limits(positions)
        if not self._publisher.get_subscription_count():
            raise ResetError(
                f'no controller subscribes to {self._publisher.topic_name}; start it, or set '
                'trajectory_topic to its topic'
            )
        longest = max(abs(a - b) for a, b in zip(positions, self._settings.home, strict=True))
        seconds = max(SHORTEST_MOTION, longest / self._settings.speed)
        if seconds > LONGEST_MOTION:
            raise ResetError(
                f'the motion home would take {seconds:.0f} s at a speed of {self._settings.speed}; '
                f'expected at most {LONGEST_MOTION:.0f} s'
            )
        self._end_time = self._clock.now() + seconds
        self._near_since = None
        self._moving, self._arrived = True, False
        self._send(self._settings.home, seconds)

    def is_done(self) -> bool:
        if self._arrived:
            self._moving = False
            return True
        try:
            positions = self._positions()
        except ResetError:
            self.stop()
            raise
        if self._clock.now() > self._end_time + self._settings.reset_time_limit:
            distances = [abs(a - b) for a, b in zip(positions, self._settings.home, strict=True)]
            worst = distances.index(max(distances))
            self.stop()
            raise ResetError(
                f'{self._settings.joints[worst]} is at {positions[worst]:.3f} and did not come to '
                f'rest within {self._settings.tolerance} of {self._settings.home[worst]:.3f} in '
                'time'
            )
        return False

    def stop(self) -> None:
        """Bring the joints to rest near their current positions.

        Controllers do not accept an empty trajectory, so one is sent to where the joints come to
        rest from their current velocities. If these are unknown, it could move the arm backwards,
        so the motion continues to its end.
        """
        if not self._moving:
            return
        self._moving = False
        try:
            self._positions()
        except ResetError as error:
            self._node.get_logger().error(f'the motion is not stopped and runs to its end: {error}')
            return
        settings = self._settings
        rows = zip(settings.joints, settings.lower_limits, settings.upper_limits, strict=True)
        goals = [self._stop_position(self._readings[joint], *limits) for joint, *limits in rows]
        self._send(goals, STOP_TIME)
        self._publisher.wait_for_all_acked(Duration(seconds=DELIVERY_TIME))

    def close(self) -> None:
        self.stop()
        self._node.destroy_subscription(self._subscription)
        self._node.destroy_publisher(self._publisher)

    def _stop_position(self, reading: JointReading, low: float, high: float) -> float:
        """Return where a joint comes to rest, with its velocity limited to a plausible one."""
        fastest = 2 * self._settings.speed  # in the middle of a smooth motion
        velocity = min(max(reading.velocity, -fastest), fastest)
        age = self._clock.now() - reading.received
        goal = reading.position + velocity * (age + STOP_TIME / 2)
        return min(max(goal, min(low, reading.position)), max(high, reading.position))

    def _check_limits(self, positions: list[float]) -> None:
        settings = self._settings
        rows = zip(
            settings.joints, positions, settings.lower_limits, settings.upper_limits, strict=True
        )
        for joint, position, low, high in rows:
            if not low - LIMIT_MARGIN <= position <= high + LIMIT_MARGIN:
                raise ResetError(
                    f'{joint} is reported at {position:.6g}, outside its limits {low} to {high}; '
                    'expected radians or metres within them'
                )

    def _send(self, positions: Any, seconds: float) -> None:
        nanoseconds = round(seconds * 1e9)
        count = len(self._settings.joints)
        point = JointTrajectoryPoint(
            positions=[float(position) for position in positions],
            # At rest at the end; with these the controller also interpolates smoothly.
            velocities=[0.0] * count,
            accelerations=[0.0] * count,
            time_from_start=DurationMessage(sec=nanoseconds // 10**9, nanosec=nanoseconds % 10**9),
        )
        # A stamp of zero: start now
        self._publisher.publish(
            JointTrajectory(joint_names=list(self._settings.joints), points=[point])
        )

    def _on_joint_state(self, message: JointState) -> None:
        now = self._clock.now()
        # Some drivers send no velocities, or fewer, or publish arm and gripper separately.
        velocities = dict(zip(message.name, message.velocity, strict=False))
        for joint, position in zip(message.name, message.position, strict=False):
            if joint not in self._settings.joints:
                if len(self._others) < 100:
                    self._others.add(joint)
            elif math.isfinite(position):
                velocity = velocities.get(joint, 0.0)
                self._readings[joint] = JointReading(
                    position, velocity if math.isfinite(velocity) else 0.0, now
                )
        if self._moving and not self._arrived:
            self._check_arrival(now)

    def _check_arrival(self, now: float) -> None:
        """Note the arrival when all joints stay at home for REST_TIME after the trajectory."""
        settings = self._settings
        homes = zip(settings.joints, settings.home, strict=True)
        distance = max(abs(self._readings[joint].position - home) for joint, home in homes)
        if distance > settings.tolerance or now < self._end_time:
            self._near_since = None
        elif self._near_since is None:
            self._near_since = now
        else:
            oldest = min(reading.received for reading in self._readings.values())
            self._arrived = oldest - self._near_since >= REST_TIME

    def _positions(self) -> list[float]:
        """Return the current positions of the joints; raises ResetError if they are unknown."""
        settings, topic = self._settings, self._subscription.topic_name
        if not self._readings and not self._others:
            raise ResetError(
                f'no joint states on {topic}; start the driver, or set joint_states_topic to its '
                'topic'
            )
        if unknown := [joint for joint in settings.joints if joint not in self._readings]:
            raise ResetError(
                f'no position of {", ".join(unknown)} on {topic}, which has '
                f'{", ".join(sorted({*self._readings, *self._others}))}'
            )
        age = self._clock.now() - min(reading.received for reading in self._readings.values())
        if age > settings.joint_state_timeout:
            raise ResetError(
                f'no joint states on {topic} for {age:.1f} s; expected one every '
                f'{settings.joint_state_timeout} s'
            )
        return [self._readings[joint].position for joint in settings.joints]
