# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The measured positions of the joints."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from rclpy.node import Node
from sensor_msgs.msg import JointState

from ..common.monotonic_clock import MonotonicClock
from ..common.qos import QOS_JOINT_STATES
from .reset import ResetError
from .settings import ResetSettings


@dataclass(frozen=True)
class JointReading:
    """A measured joint: position and velocity [rad, rad/s or m, m/s], and the time received [s]."""

    position: float
    velocity: float
    received: float


class JointReadings:
    """The newest reading of each joint that the settings name; on_reading is called after each."""

    def __init__(
        self,
        node: Node,
        settings: ResetSettings,
        clock: MonotonicClock,
        on_reading: Callable[[], None],
    ) -> None:
        self._node = node
        self._settings = settings
        self._clock = clock
        self._on_reading = on_reading
        self._readings: dict[str, JointReading] = {}
        self._others: set[str] = set()  # names of joints that are not in the parameter joints
        self._subscription = node.create_subscription(
            JointState, settings.joint_states_topic, self._on_joint_state, QOS_JOINT_STATES
        )

    def close(self) -> None:
        self._node.destroy_subscription(self._subscription)

    def current(self) -> list[JointReading]:
        """Return the readings in the order of the joints; raises ResetError if one is missing or
        old.
        """
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
        age = self._clock.now() - self.oldest
        if age > settings.joint_state_timeout:
            raise ResetError(
                f'no joint states on {topic} for {age:.1f} s; expected one every '
                f'{settings.joint_state_timeout} s'
            )
        return [self._readings[joint] for joint in settings.joints]

    @property
    def oldest(self) -> float:
        """When the joint was read that has not been read for the longest time [s]."""
        return min(reading.received for reading in self._readings.values())

    def distances(self) -> list[float]:
        """Return the distance of each joint from home [rad or m]; NaN for those without reading."""
        homes = zip(self._settings.joints, self._settings.home, strict=True)
        return [
            abs(self._readings[joint].position - home) if joint in self._readings else math.nan
            for joint, home in homes
        ]

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
        self._on_reading()
