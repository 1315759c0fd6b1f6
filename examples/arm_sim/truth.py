# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""True progress and success, read from the state of the simulation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from topreward_ros.demo.table import APPROACH, CARRY
from topreward_ros.demo.tasks import Task

from .arm import Arm, tool_pose
from .scene import BLOCKS, Layout

PLACE_TOLERANCE = 0.75  # of half a target, from its centre to that of the block
REST_HEIGHT = 0.006  # above the table that counts as resting on it [m]
REST_SPEED = 0.03  # [m/s]
REACHED = 0.01  # distance of the tool that counts as none [m]


@dataclass(frozen=True)
class Truth:
    """Progress from 0 to 1, and whether the task is done: 1 exactly then."""

    progress: float
    success: bool


class TruthMeter:
    """Measures a task from where things were at the beginning.

    Progress is APPROACH times the share of the way from the tool to the block, plus CARRY times the
    share of the block's way to its target; the rest is letting go, as in the drawn world. Success
    is the right block at rest on the right target, upright, and no part of the arm touching it.
    """

    def __init__(self, arm: Arm, model: Any, data: Any, layout: Layout, task: Task) -> None:
        self._arm, self._model, self._data = arm, model, data
        self._number = list(layout.blocks).index(task.object)
        self._block = model.geom(f'block{self._number}').id
        self._target = np.array(layout.targets[task.target])
        self._first_reach = max(REACHED * 2, self._reach())
        self._first_way = max(1e-3, self._way())

    def measure(self) -> Truth:
        if self.is_success():
            return Truth(1.0, True)
        reach = 1 - min(1.0, self._reach() / self._first_reach)
        carry = 1 - min(1.0, self._way() / self._first_way)
        return Truth(APPROACH * reach + CARRY * carry, False)

    def is_success(self) -> bool:
        is_there = self._way() < PLACE_TOLERANCE * self._arm.table.half_target
        return is_there and is_free(self._arm, self._model, self._data, self._number)

    def _reach(self) -> float:
        """Return the distance [m] of the tool from where it would grasp the block."""
        table, data = self._arm.table, self._data
        goal = data.geom_xpos[self._block] + [0, 0, self._arm.grasp_height - table.half_block]
        tool, _ = tool_pose(self._arm, self._model, data)
        return max(0.0, float(np.linalg.norm(goal - tool)) - REACHED)

    def _way(self) -> float:
        """Return the distance [m] of the block from its target, along the table."""
        return float(np.linalg.norm(self._data.geom_xpos[self._block][:2] - self._target))


def is_free(arm: Arm, model: Any, data: Any, number: int) -> bool:
    """Return whether a block rests on the table, upright, and no part of the arm touches it."""
    block = model.geom(f'block{number}').id
    dof = model.joint(f'block{number}').dofadr[0]
    passive = {model.geom('table').id, *(model.geom(f'block{k}').id for k in range(BLOCKS))}
    pairs = (set(pair) for pair in data.contact.geom.tolist())
    return bool(
        abs(data.geom_xpos[block][2] - arm.table.half_block) < REST_HEIGHT
        and np.abs(data.qvel[dof : dof + 3]).max() < REST_SPEED
        and not any(block in pair and not pair <= passive for pair in pairs)
    )
