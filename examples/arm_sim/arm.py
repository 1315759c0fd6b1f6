# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""An arm as its file in arms/ describes it, and its joints in a simulation."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import yaml

from topreward_ros.errors import TopRewardError

ARMS = Path(__file__).parent / 'arms'
NAMES = tuple(sorted(file.stem for file in ARMS.glob('*.yaml')))


class ArmError(TopRewardError):
    """An arm that is not known, or whose package is not installed."""


@dataclass(frozen=True)
class Gripper:
    """The gripper's joint and its actuator, whose input is `scale` times the joint's position."""

    joint: str
    model_joint: str
    actuator: str
    scale: float
    lower: float
    upper: float
    max_velocity: float
    open: float
    closed: float


@dataclass(frozen=True)
class Tool:
    """The point between the fingers: an offset [m] in the frame of a site of the model.

    approach_axis and jaw_axis are axes of that frame, 0 to 2: along the fingers, and the way they
    open, times jaw_sign.
    """

    site: str
    offset: list[float]
    approach_axis: int
    jaw_axis: int
    jaw_sign: int
    ready: list[float]


@dataclass(frozen=True)
class Table:
    """Where blocks and targets are placed, a sector around `center` [m, rad]; their sizes [m]."""

    center: list[float]
    radius: list[float]
    angle: list[float]
    spacing: float
    half_block: float
    half_target: float


@dataclass(frozen=True)
class Arm:
    """What is known of an arm: names, limits [rad, rad/s], controller, tool, table, cameras."""

    name: str
    package: str
    model: str
    contact_geoms: list[str]
    control: str
    joints: list[str]
    model_joints: list[str]
    actuators: list[str]
    home: list[float]
    lower_limits: list[float]
    upper_limits: list[float]
    max_velocity: list[float]
    stiffness: list[float]
    damping: list[float]
    gripper: Gripper
    tool: Tool
    table: Table
    trajectory_topic: str
    gripper_topic: str
    joint_states_topic: str
    grasp_height: float
    hover_height: float
    speed: float
    cameras: dict[str, dict[str, Any]]
    recolour: dict[str, list[float]] = dataclasses.field(default_factory=dict)

    def model_file(self) -> Path:
        """Return the MJCF file of the arm; raises ArmError if its package is not installed."""
        spec = find_spec(self.package)  # found, not imported: only its files are needed
        if spec is None or not spec.submodule_search_locations:
            raise ArmError(
                f'{self.package} is not installed, which brings the model of {self.name}: '
                "pip install '.[sim]'"
            )
        return Path(next(iter(spec.submodule_search_locations))) / self.model


def load_arm(name: str) -> Arm:
    """Return the arm of a file in arms/; raises ArmError for a name that has none."""
    if name not in NAMES:
        raise ArmError(f'arm is {name!r}; expected one of {", ".join(NAMES)}')
    values = yaml.safe_load((ARMS / f'{name}.yaml').read_text(encoding='utf-8'))
    for part, kind in (('gripper', Gripper), ('tool', Tool), ('table', Table)):
        values[part] = kind(**values[part])
    return Arm(name=name, **values)


class JointDrive:
    """The joints of an arm in a simulation: reads them, and drives them to a reference.

    Positions and velocities are float64 (joints,), in the order of `arm.joints`.
    """

    def __init__(self, arm: Arm, model: Any, data: Any) -> None:
        self._arm, self._data = arm, data
        joints = [model.joint(name) for name in arm.model_joints]
        self.qpos = np.array([joint.qposadr[0] for joint in joints])
        self.qvel = np.array([joint.dofadr[0] for joint in joints])
        self._actuators = np.array([model.actuator(name).id for name in arm.actuators])
        self._force = model.actuator_ctrlrange[self._actuators]
        self._gripper_qpos = model.joint(arm.gripper.model_joint).qposadr[0]
        self._gripper_qvel = model.joint(arm.gripper.model_joint).dofadr[0]
        self._gripper_actuator = model.actuator(arm.gripper.actuator).id
        self._stiffness, self._damping = np.array(arm.stiffness), np.array(arm.damping)

    def positions(self) -> np.ndarray:
        return np.array(self._data.qpos[self.qpos])

    def velocities(self) -> np.ndarray:
        return np.array(self._data.qvel[self.qvel])

    def gripper(self) -> tuple[float, float]:
        """Return position and velocity of the gripper's joint."""
        data = self._data
        return float(data.qpos[self._gripper_qpos]), float(data.qvel[self._gripper_qvel])

    def place(self, positions: np.ndarray, gripper: float) -> None:
        """Put the joints somewhere, at rest."""
        self._data.qpos[self.qpos], self._data.qvel[self.qvel] = positions, 0.0
        self._data.qpos[self._gripper_qpos] = gripper
        self._data.qvel[self._gripper_qvel] = 0.0

    def drive(self, positions: np.ndarray, velocities: np.ndarray, gripper: float) -> None:
        """Set the actuators for a reference, as a joint controller with gravity compensation."""
        data = self._data
        bias = data.qfrc_bias[self.qvel]  # gravity and Coriolis forces [Nm]
        if self._arm.control == 'torque':
            error = positions - data.qpos[self.qpos]
            torque = self._stiffness * error + bias
            torque += self._damping * (velocities - data.qvel[self.qvel])
            control = torque
        else:  # the actuator is stiffness times (input - position)
            control = positions + (bias + self._damping * velocities) / self._stiffness
        data.ctrl[self._actuators] = np.clip(control, self._force[:, 0], self._force[:, 1])
        data.ctrl[self._gripper_actuator] = gripper * self._arm.gripper.scale


def tool_pose(arm: Arm, model: Any, data: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the tool's position [m] (3,) and the rotation (3, 3) of its site."""
    site = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_SITE, arm.tool.site)
    rotation = data.site_xmat[site].reshape(3, 3)
    return data.site_xpos[site] + rotation @ np.array(arm.tool.offset), rotation
