# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The simulated arm of `examples/arm_sim` as an environment: the tool moves, closes and opens."""

from __future__ import annotations

from typing import Any

import numpy as np

from examples.arm_sim.operator import HELD_HEIGHT, RELEASE_HEIGHT
from examples.arm_sim.rendering import Cameras
from examples.arm_sim.trajectory import Trajectory
from examples.arm_sim.world import World
from topreward_ros.demo.tasks import Task

from .task_world import TaskWorld

PICTURE = 128  # side of the camera's pictures [px]
WIDTH = 0.4  # of the part of the table that is observed as 1 [m]
SPEED = 0.08  # greatest distance in a step, per axis [table widths]
MOVE_TIME, GRIP_TIME = 0.3, 0.4  # shortest times of a motion, and of the gripper's [s]


class ArmWorld(TaskWorld):
    """A block is to be put onto a target, in physics; all are where a seed says.

    A step is a movement of the tool above the table; where the gripper is then to close, or to open
    with something in it, the tool goes down for it, and up again. It grasps what is there: a block
    too far from its middle is missed or pushed away. Steps take 0.3 to 2.5 s of simulated time.
    """

    steps, seconds = 14, 0.5

    def __init__(self, arm: str = 'so101') -> None:
        """Raises ArmError where the simulator's arm is not installed."""
        super().__init__()
        self._world = World(arm)
        self._cameras: Cameras | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Set up a table; without a seed, the next one of this environment's random numbers."""
        super().reset(seed=seed)
        self._world.restart(int(self.np_random.integers(1000, 1_000_000)))
        self.task = self._world.task
        self._yaw, self._is_closed, self._steps = 0.0, False, 0
        tool = self._world.tool()
        self._go(np.array([*tool[:2], self._world.arm.hover_height]), MOVE_TIME)
        self._progress = self._world.truth().progress
        return self.observed(self.task), {'is_done': False, 'true_progress': self._progress}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self._act(np.clip(action, -1, 1))
        self._steps += 1
        truth = self._world.truth()
        before, self._progress = self._progress, truth.progress
        told = {'is_done': truth.success, 'true_progress': truth.progress}
        is_over = self._steps >= self.steps
        return self.observed(self.task), truth.progress - before, False, is_over, told

    def render(self) -> Any:
        if self._cameras is None:
            self._cameras = Cameras(self._world, PICTURE, PICTURE)
        return self._cameras.take('top')

    def close(self) -> None:
        if self._cameras is not None:
            self._cameras.close()
            self._cameras = None

    def other_blocks(self) -> list[Task]:
        colours = [name for name in self._world.layout.blocks if name != self.task.object]
        return [Task(colour, self.task.target) for colour in colours]

    def observed(self, task: Task) -> np.ndarray:
        place = np.array(self._world.layout.targets[task.target])
        tool, block = self._world.tool()[:2], self._world.block(task.object)[:2]
        ways = np.concatenate([block - tool, place - block, place - tool]) / WIDTH
        rest = [float(self._is_held(task.object)), float(not self._is_closed)]
        return np.append(ways, rest).astype(np.float32)

    def _is_held(self, colour: str) -> bool:
        height = self._world.block(colour)[2] - self._world.arm.table.half_block
        return bool(self._is_closed and height > HELD_HEIGHT)

    def _act(self, action: np.ndarray) -> None:
        arm = self._world.arm
        tool = self._world.kinematics.tool(self._world.reference)
        place = tool[:2] + action[:2] * SPEED * WIDTH
        self._go(np.array([*place, arm.hover_height]), MOVE_TIME)
        closes = bool(action[2] > 0)
        if closes == self._is_closed:
            return
        tool = self._world.kinematics.tool(self._world.reference)
        held = [colour for colour in self._world.layout.blocks if self._is_held(colour)]
        height = arm.grasp_height
        if closes:
            blocks = self._world.layout.blocks
            near = min(blocks, key=lambda c: np.linalg.norm(self._world.block(c) - tool))
            self._yaw = self._world.layout.yaws[near]
        elif held:
            block = self._world.block(held[0])
            height = self._world.tool()[2] - block[2] + arm.table.half_block + RELEASE_HEIGHT
        if closes or held:
            self._go(np.array([*tool[:2], height]), 2 * MOVE_TIME)
        self._grip(closes)
        self._is_closed = closes
        if closes or held:
            self._go(np.array([*tool[:2], arm.hover_height]), 2 * MOVE_TIME)
        if not closes:
            self._yaw = 0.0

    def _go(self, place: np.ndarray, seconds: float) -> None:
        """Move the tool to a place [m] (3,), if it is within reach."""
        world = self._world
        joints = world.kinematics.solve(place, self._yaw, world.reference)
        if joints is None:
            joints = world.kinematics.solve(place, self._yaw)
        if joints is None:
            world.run(MOVE_TIME)
            return
        way = np.abs(joints - world.reference) / np.array(world.arm.max_velocity)
        self._command(tuple(world.arm.joints), joints, max(seconds, 1.6 * float(way.max())))

    def _grip(self, closes: bool) -> None:
        gripper = self._world.arm.gripper
        position = gripper.closed if closes else gripper.open
        seconds = max(GRIP_TIME, 1.2 * abs(gripper.open - gripper.closed) / gripper.max_velocity)
        self._command((gripper.joint,), np.array([position]), seconds)

    def _command(self, joints: tuple[str, ...], positions: np.ndarray, seconds: float) -> None:
        self._world.command(Trajectory(joints, np.array([seconds]), positions[None]))
        self._world.run(seconds + 0.05)
