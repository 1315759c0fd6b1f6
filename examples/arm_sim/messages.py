# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""ROS messages from and to what the simulation knows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory

from topreward_ros.nodes.cameras.image_messages import time_message
from topreward_ros.scoring.sampling import NANOSECONDS

from .trajectory import Trajectory, TrajectoryError
from .world import World


def trajectory_of(message: JointTrajectory) -> Trajectory:
    """Return a message's trajectory; raises TrajectoryError for rows that do not fit its joints.

    Efforts are not used. A stamp of zero means: start now.
    """
    points = list(message.points)
    stamp = message.header.stamp.sec + message.header.stamp.nanosec / NANOSECONDS
    times = [p.time_from_start.sec + p.time_from_start.nanosec / NANOSECONDS for p in points]
    positions = _rows(message, points, 'positions')
    if positions is None and points:
        raise TrajectoryError('the points have no positions; expected one for each joint')
    return Trajectory(
        tuple(message.joint_names),
        np.array(times),
        np.zeros((0, len(message.joint_names))) if positions is None else positions,
        _rows(message, points, 'velocities'),
        _rows(message, points, 'accelerations'),
        stamp or None,
    )


def _rows(message: JointTrajectory, points: Sequence[Any], name: str) -> np.ndarray | None:
    rows = [list(getattr(point, name)) for point in points]
    if not any(rows):
        return None
    joints = len(message.joint_names)
    for k, row in enumerate(rows):
        if len(row) != joints:
            raise TrajectoryError(
                f'point {k + 1} has {len(row)} {name}; expected {joints}, one for each joint'
            )
    return np.array(rows, float)


def joint_state(world: World) -> JointState:
    """Return the measured joints of the arm and its gripper."""
    position, velocity = world.drive.gripper()
    message = JointState(
        name=[*world.arm.joints, world.arm.gripper.joint],
        position=[*map(float, world.drive.positions()), position],
        velocity=[*map(float, world.drive.velocities()), velocity],
    )
    message.header.stamp = time_message(nanoseconds(world))
    return message


def nanoseconds(world: World) -> int:
    """Return the simulated time [ns]."""
    return round(world.time * NANOSECONDS)
