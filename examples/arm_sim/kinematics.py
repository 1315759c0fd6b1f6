# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Joint positions for a place of the tool, with the gripper pointing down."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np

from .arm import Arm, tool_pose

ITERATIONS = 60
DAMPING = 1e-5
ROTATION_WEIGHT = 0.05  # [m/rad]: low, as five joints reach a place and tilt for it
SMALLEST_STEP, LARGEST_STEP = 1e-4, 0.3  # of a joint in an iteration [rad]
POSITION_TOLERANCE = 0.002  # [m]
TILT_TOLERANCE = 0.25  # [rad]
DOWN = np.array([0.0, 0.0, -1.0])


class InverseKinematics:
    """Damped least squares on a copy of the simulation's state, which it does not disturb."""

    def __init__(self, arm: Arm, model: Any) -> None:
        self._arm, self._model = arm, model
        self._data = mujoco.MjData(model)
        joints = [model.joint(name) for name in arm.model_joints]
        self._qpos = np.array([joint.qposadr[0] for joint in joints])
        self._dofs = np.array([joint.dofadr[0] for joint in joints])
        self._body = model.site_bodyid[model.site(arm.tool.site).id]
        self._lower, self._upper = np.array(arm.lower_limits), np.array(arm.upper_limits)

    def solve(
        self, place: np.ndarray, yaw: float, start: np.ndarray | None = None
    ) -> np.ndarray | None:
        """Return joint positions with the tool at a place [m] (3,); None if it is out of reach.

        The fingers point down and open along the y-axis turned by yaw [rad]. start is where the
        search begins, by default the arm's `ready`.
        """
        q = np.array(self._arm.tool.ready if start is None else start)
        jaw = np.array([-np.sin(yaw), np.cos(yaw), 0.0])
        for _ in range(ITERATIONS):
            error, jacobian = self._error(q, place, jaw)
            if np.linalg.norm(error[:3]) < 2e-4 and np.linalg.norm(error[3:]) < 2e-3:
                break
            step = self._step(q, error, jacobian)
            q = np.clip(q + step, self._lower, self._upper)
            if np.abs(step).max() < SMALLEST_STEP:  # as near as it comes
                break
        error, _ = self._error(q, place, jaw)
        off = np.linalg.norm(error[:3]) > POSITION_TOLERANCE
        tilted = np.linalg.norm(error[3:]) > TILT_TOLERANCE * ROTATION_WEIGHT
        return None if off or tilted else q

    def tool(self, q: np.ndarray) -> np.ndarray:
        """Return the tool's position [m] (3,) for joint positions."""
        self._set(q)
        return tool_pose(self._arm, self._model, self._data)[0]

    def _step(self, q: np.ndarray, error: np.ndarray, jacobian: np.ndarray) -> np.ndarray:
        """Return a step [rad] (joints,); joints at a limit that it would push stay there."""
        free = np.ones(len(q), bool)
        step = np.zeros(len(q))
        for _ in range(len(q)):
            part = jacobian[:, free]
            square = part.T @ part + DAMPING * np.eye(int(free.sum()))
            step[:] = 0.0
            step[free] = np.linalg.solve(square, part.T @ error)
            pushes = (step > 0) & (q >= self._upper) | (step < 0) & (q <= self._lower)
            if not pushes.any():
                break
            free &= ~pushes
        return step * min(1.0, LARGEST_STEP / max(1e-9, float(np.abs(step).max())))

    def _set(self, q: np.ndarray) -> None:
        self._data.qpos[self._qpos] = q
        mujoco.mj_kinematics(self._model, self._data)
        mujoco.mj_comPos(self._model, self._data)

    def _error(
        self, q: np.ndarray, place: np.ndarray, jaw: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the error (6,) of position and weighted rotation, and its Jacobian (6, joints)."""
        self._set(q)
        tool = self._arm.tool
        point, rotation = tool_pose(self._arm, self._model, self._data)
        linear, angular = np.zeros((3, self._model.nv)), np.zeros((3, self._model.nv))
        mujoco.mj_jac(self._model, self._data, linear, angular, point, self._body)
        turn = _turn(rotation[:, tool.approach_axis], DOWN)
        turn += _turn(tool.jaw_sign * rotation[:, tool.jaw_axis], jaw)
        error = np.concatenate([place - point, ROTATION_WEIGHT * turn / 2])
        jacobian = np.vstack([linear, ROTATION_WEIGHT * angular])[:, self._dofs]
        return error, jacobian


def _turn(axis: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return the rotation vector [rad] from one unit vector to another."""
    cross = np.cross(axis, wanted)
    sine = float(np.linalg.norm(cross))
    if sine < 1e-9:
        return np.zeros(3)
    return cross * (np.arctan2(sine, float(axis @ wanted)) / sine)
