# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""An arm, its table and its operator in simulated time; knows nothing of ROS."""

from __future__ import annotations

from collections.abc import Callable

import mujoco
import numpy as np

from topreward_ros.demo.tasks import Task

from .arm import Arm, JointDrive, load_arm, tool_pose
from .kinematics import InverseKinematics
from .operator import Operator
from .scene import SceneError, build_model, draw_layout, draw_task, set_up
from .trajectory import Follower, Limits, Trajectory
from .truth import Truth, TruthMeter

CONTROL_STEP = 0.004  # [s], two steps of the physics
LONGEST_EPISODE = 60.0  # [s]
PLACEMENT_TRIES = 20


class World:
    """The simulation of an arm: stepped, commanded by trajectories, reset by a seed."""

    def __init__(self, arm: str | Arm) -> None:
        """Raises ArmError for an arm that is not known or not installed."""
        self.arm = load_arm(arm) if isinstance(arm, str) else arm
        self.model = build_model(self.arm)
        self.data = mujoco.MjData(self.model)
        self.kinematics = InverseKinematics(self.arm, self.model)
        self.drive = JointDrive(self.arm, self.model, self.data)
        home, gripper = np.array(self.arm.home), self.arm.gripper
        self.follower = Follower(arm_limits(self.arm), home)
        self.gripper_follower = Follower(gripper_limits(self.arm), np.array([gripper.open]))
        self.operator: Operator | None = None
        self._substeps = round(CONTROL_STEP / self.model.opt.timestep)
        self.restart(0)

    # What the operator and a node see

    @property
    def time(self) -> float:
        """Simulated time [s]; goes on over all resets."""
        return self._steps * CONTROL_STEP

    @property
    def reference(self) -> np.ndarray:
        """Where the arm's joints are commanded to be [rad] (joints,)."""
        return self.follower.positions

    @property
    def gripper_reference(self) -> float:
        return float(self.gripper_follower.positions[0])

    def block(self, colour: str) -> np.ndarray:
        """Return the middle of a block [m] (3,)."""
        index = list(self.layout.blocks).index(colour)
        return np.array(self.data.geom_xpos[self.model.geom(f'block{index}').id])

    def tool(self) -> np.ndarray:
        """Return the point between the fingers [m] (3,)."""
        return tool_pose(self.arm, self.model, self.data)[0]

    def truth(self) -> Truth:
        return self._meter.measure()

    # What changes it

    def reset(self, seed: int, task: Task | None = None) -> None:
        """Set the table anew by a seed, with its own task or another; the arm stays where it is.

        A seed that gives no table is followed by another one. Raises SceneError if the arm stands
        where blocks would be placed, or if no table is found.
        """
        refused: list[SceneError] = []
        for attempt in range(PLACEMENT_TRIES):
            try:
                layout = draw_layout(self.arm, self.kinematics, seed + attempt * 1_000_003)
                drawn = task or draw_task(layout, seed)
            except SceneError as error:  # a few seeds in a hundred
                refused.append(error)
                continue
            self.layout = layout
            set_up(self.model, self.data, self.arm, layout)
            if not self._is_in_the_way():
                break
            text = 'the arm stands where the blocks would be placed; move it home first'
            refused.insert(0, SceneError(text))  # first, as the caller can do something about it
        else:
            raise refused[0]
        self.task = drawn
        self.operator = None
        self._meter = TruthMeter(self.arm, self.model, self.data, self.layout, self.task)

    def restart(self, seed: int, task: Task | None = None) -> None:
        """Begin anew at the time 0 with the arm at home; what follows depends on nothing before.

        No real arm can: for simulations without a controller.
        """
        mujoco.mj_resetData(self.model, self.data)
        self._steps = 0
        home, gripper = np.array(self.arm.home), self.arm.gripper
        self.drive.place(home, gripper.open)
        self.follower.rest_at(home)
        self.gripper_follower.rest_at(np.array([gripper.open]))
        self.reset(seed, task)

    def operate(self, kind: str, seed: int) -> None:
        """Let a scripted operator attempt the task; raises ValueError for an unknown kind."""
        self.operator = Operator(self, self.task, kind, seed)

    def stop_operator(self) -> None:
        """Take the operator away; the joints stay where they are."""
        self.operator = None
        self.follower.hold()
        self.gripper_follower.hold()

    def check(self, trajectory: Trajectory) -> None:
        """Raise TrajectoryError if a trajectory cannot be followed."""
        self._follower(trajectory).limits.check(trajectory, self.time)

    def command(self, trajectory: Trajectory) -> None:
        """Follow a trajectory of the arm or of the gripper; raises TrajectoryError, and goes on."""
        self._follower(trajectory).follow(trajectory, self.time)

    def step(self) -> None:
        """Advance by CONTROL_STEP."""
        if self.operator is not None:
            self.operator.act()
        for follower in (self.follower, self.gripper_follower):
            follower.step(self.time + CONTROL_STEP, CONTROL_STEP)
        for _ in range(self._substeps):
            self.drive.drive(
                self.follower.positions, self.follower.velocities, self.gripper_reference
            )
            mujoco.mj_step(self.model, self.data)
        self._steps += 1

    def refresh(self) -> None:
        """Recompute poses and contacts after joint positions were set in `data`, without a step."""
        mujoco.mj_forward(self.model, self.data)

    def run(self, seconds: float) -> None:
        """Advance by a time [s]."""
        for _ in range(round(seconds / CONTROL_STEP)):
            self.step()

    def run_episode(self, each: Callable[[], object] = lambda: None, period: float = 0.1) -> None:
        """Run until the operator is done; `each` is called every period [s], and at the end."""
        end = self.time + LONGEST_EPISODE
        while self.operator is not None and not self.operator.is_done and self.time < end:
            each()
            self.run(period)
        each()

    def _follower(self, trajectory: Trajectory) -> Follower:
        is_gripper = set(trajectory.joints) == {self.arm.gripper.joint}
        return self.gripper_follower if is_gripper else self.follower

    def _is_in_the_way(self) -> bool:
        """Whether a block was placed into the arm."""
        blocks = {self.model.geom(f'block{k}').id for k in range(len(self.layout.blocks))}
        table = self.model.geom('table').id
        contacts = zip(self.data.contact.geom.tolist(), self.data.contact.dist, strict=True)
        return any(
            len(blocks & set(pair)) == 1 and table not in pair and distance < 0
            for pair, distance in contacts
        )


def arm_limits(arm: Arm) -> Limits:
    rows = (arm.lower_limits, arm.upper_limits, arm.max_velocity)
    return Limits(tuple(arm.joints), *(np.array(row) for row in rows))


def gripper_limits(arm: Arm) -> Limits:
    gripper = arm.gripper
    rows = (gripper.lower, gripper.upper, gripper.max_velocity)
    return Limits((gripper.joint,), *(np.array([value]) for value in rows))
