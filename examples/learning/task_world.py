# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What all worlds in which policies learn have in common."""

from __future__ import annotations

import gymnasium
import numpy as np

from topreward_ros.demo.tasks import Task


class TaskWorld(gymnasium.Env[np.ndarray, np.ndarray]):
    """A block is to be put onto a place by a gripper, seen from above.

    Observations, float32 (8): from gripper to block, block to place, gripper to place (x, y each)
    [table widths], whether the block is held, opening of the gripper. Actions, float32 (3): a
    movement per axis in [-1, 1], and above 0 to close. The environment's own reward is the gain of
    true progress, which is info['true_progress']; info['is_done'] tells whether the block has been
    released at its place.
    """

    render_mode = 'rgb_array'
    steps: int  # in an episode
    seconds: float  # between two steps, as told to a model that asks for times
    task: Task

    def __init__(self) -> None:
        self.observation_space = gymnasium.spaces.Box(-2, 2, (8,), np.float32)
        self.action_space = gymnasium.spaces.Box(-1, 1, (3,), np.float32)

    def observed(self, task: Task) -> np.ndarray:
        """Return the observation of one who takes the task to be this one."""
        raise NotImplementedError

    def other_blocks(self) -> list[Task]:
        """Return the tasks that differ from the asked one in the block alone."""
        raise NotImplementedError
