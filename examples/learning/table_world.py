# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The demo's drawn table as an environment: the gripper moves, closes and opens."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from topreward_ros.demo.drawing import SceneRenderer
from topreward_ros.demo.model import SIDE
from topreward_ros.demo.scene import SceneEpisode
from topreward_ros.demo.table import others, progress
from topreward_ros.demo.tasks import PLACES, Task, known_tasks

from .task_world import TaskWorld

SPEED = 0.08  # greatest distance in a step, per axis [table widths]
REACH = 0.05  # from a block that can be grasped [table widths]
GOAL = 0.08  # from the place of a block that has arrived [table widths]
TASKS = [task for task in known_tasks() if task.target in PLACES]


class TableWorld(TaskWorld):
    """A block is to be put onto a place; all are where a seed says."""

    steps, seconds = 22, 0.25

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Set up a table; without a seed, the next one of this environment's random numbers."""
        super().reset(seed=seed)
        table = int(self.np_random.integers(1000, 1_000_000))
        task = TASKS[int(self.np_random.integers(len(TASKS)))]
        episode = SceneEpisode(table, 'success', task)
        self.task, self._start, self._state = episode.task, episode.start, episode.start
        self._camera = SceneRenderer(SIDE, SIDE, episode.appearance)
        self._held: str | None = None
        self._steps, self._progress = 0, 0.0
        return self.observed(self.task), {'is_done': False, 'true_progress': 0.0}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self._move(np.clip(action, -1, 1))
        self._steps += 1
        before, self._progress = self._progress, progress(self.task, self._start, self._state)
        is_over = self._steps >= self.steps
        told = {'is_done': self._is_done(), 'true_progress': self._progress}
        return self.observed(self.task), self._progress - before, False, is_over, told

    def render(self) -> Any:
        return self._camera.take(self._state)

    def other_blocks(self) -> list[Task]:
        return [task for name, task in others(self.task, self._state) if name == 'object']

    def observed(self, task: Task) -> np.ndarray:
        names = task.object, task.target
        block, place = (np.array(self._state.at(name)) for name in names)
        gripper = np.array(self._state.gripper)
        rest = [float(self._held == task.object), self._state.opening]
        return np.concatenate([block - gripper, place - block, place - gripper, rest]).astype(
            np.float32
        )

    def _move(self, action: np.ndarray) -> None:
        x, y = np.clip(np.array(self._state.gripper) + action[:2] * SPEED, 0.02, 0.98).tolist()
        blocks, closes = dict(self._state.blocks), bool(action[2] > 0)
        if closes and self._held is None:
            near = [(math.dist((x, y), at), color) for color, at in blocks.items()]
            distance, color = min(near)
            self._held = color if distance < REACH else None
        if not closes:
            self._held = None
        if self._held:
            blocks[self._held] = (x, y)
        self._state = replace(
            self._state,
            blocks=blocks,
            gripper=(x, y),
            opening=0.0 if closes else 1.0,
            gripper_height=0.05 if self._held else 0.03 if closes else 0.04,
            moved=self._held or self._state.moved,
            moved_height=0.03 if self._held else 0.0,
        )

    def _is_done(self) -> bool:
        block, place = self._state.at(self.task.object), self._state.at(self.task.target)
        return self._held is None and math.dist(block, place) < GOAL
