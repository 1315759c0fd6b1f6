# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The small world's table: what is where, and how far a task has come.

Lengths are in widths of the table, x to the right and y towards the viewer, both in [0, 1].
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .tasks import Task

BLOCK_SIDE = 0.10
BESIDE = 0.13  # between the middles of two blocks next to each other
PLACE_RADIUS = 0.095
BLOCKS_ON_TABLE = 3
PLACES_ON_TABLE = 4
RELATIONAL = 0.4  # share of the tasks, where none is wished for
ARM_BASE = (0.5, -0.03)

# Shares of the progress: coming to the block, carrying it, letting it go
APPROACH, CARRY, RELEASE = 0.08, 0.82, 0.10
THERE = 0.02  # this near to where it shall go is there
SHORTEST = 0.1  # ways shorter than this count as so long
LET_GO = (0.03, 0.15)  # distances of the gripper at which the block is held and is let go

# Carrying a block to one target brings it no nearer to another than this share of the way.
ASTRAY = 0.03
SHORTEST_WAY = 0.25  # from where a block is to where it shall go
ROOM_FROM_PLACE = 0.17  # of a block next to another

Point = tuple[float, float]
# Where the block, the target and the gripper are, each (..., 2)
Points = tuple[np.ndarray, np.ndarray, np.ndarray]


def goal_distance(task: Task) -> float:
    """How far from the middle of its target a block is that has come to where it shall go."""
    return BESIDE if task.is_relational else 0.0


@dataclass(frozen=True)
class State:
    """The world at a moment; heights are above the table."""

    blocks: dict[str, Point]
    places: dict[str, Point]
    gripper: Point
    gripper_height: float = 0.08
    opening: float = 1.0
    moved: str = ''
    moved_height: float = 0.0

    def at(self, thing: str) -> Point:
        """Where the block of this colour, or this place, is."""
        return self.blocks[thing] if thing in self.blocks else self.places[thing]


def progress(task: Task, start: State, now: State) -> float:
    """How far the task has come since `start`, in [0, 1].

    Relative to the beginning: a block half as far from its target as it was is half carried,
    and whoever has not moved has got nowhere, however near he stood.
    """

    def points(state: State) -> Points:
        things = state.at(task.object), state.at(task.target), state.gripper
        block, target, gripper = (np.array(point) for point in things)
        return block, target, gripper

    return float(relative_progress(points(start), points(now), np.array(goal_distance(task))))


def relative_progress(start: Points, now: Points, goal: np.ndarray) -> np.ndarray:
    """`progress`, for many states at once; goal holds the `goal_distance` of each."""
    (block_0, target_0, gripper_0), (block, target, gripper) = start, now
    reach_0, reach = _distance(block_0, gripper_0), _distance(block, gripper)
    left_0 = np.maximum(_distance(block_0, target_0) - goal - THERE, 0)
    left = np.maximum(_distance(block, target) - goal - THERE, 0)
    approached = np.clip((reach_0 - reach) / np.maximum(reach_0, SHORTEST), 0, 1)
    carried = np.clip((left_0 - left) / np.maximum(left_0, SHORTEST), 0, 1)
    held, free = LET_GO
    let_go = np.clip((reach - held) / (free - held), 0, 1) * np.clip((carried - 0.8) / 0.15, 0, 1)
    came = carried + (1 - carried) * approached  # a block that has been carried was come to
    return APPROACH * came + CARRY * carried + RELEASE * let_go


def away(a: np.ndarray, b: np.ndarray | Point) -> float:
    return float(np.hypot(*(a - b)))


def _distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.asarray(np.linalg.norm(a - b, axis=-1))


@dataclass(frozen=True)
class Waypoint:
    """Where the gripper is at a time [s]; while it holds, the block goes with it."""

    time: float
    gripper: Point
    opening: float
    height: float


def others(task: Task, state: State) -> Iterator[tuple[str, Task]]:
    """The tasks of this table that are like it but wrong, each with what is: object or target."""
    for colour in state.blocks:
        if colour not in (task.object, task.target):
            yield 'object', Task(colour, task.target)
    for target in (*state.blocks, *state.places):
        if target not in (task.object, task.target):
            yield 'target', Task(task.object, target)
