# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""State of the small world's table, and the true progress of a task.

Lengths are in table widths; x to the right and y towards the viewer, both in [0, 1].
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .tasks import Task

BLOCK_SIDE = 0.10
BESIDE_DISTANCE = 0.13  # between the centers of two blocks next to each other
PLACE_RADIUS = 0.095
BLOCKS_ON_TABLE = 3
PLACES_ON_TABLE = 4
RELATIONAL_SHARE = 0.4  # of random tasks
ARM_BASE = (0.5, -0.03)

# Shares of the progress: approaching the block, carrying it, releasing it
APPROACH, CARRY, RELEASE = 0.08, 0.82, 0.10
GOAL_TOLERANCE = 0.02  # a block this close to its goal has arrived
NEAR = 0.05  # a block further than this from its goal is not at it
MIN_DISTANCE = 0.1  # lower bound of the distances that progress is relative to
RELEASE_DISTANCES = (0.03, 0.15)  # of the gripper, at which the block is held and released

# Most progress, as a share, that a task may be for another target on the same table
MAX_OTHER_PROGRESS = 0.03
MIN_CARRY = 0.25  # from a block's start to its goal
PLACE_CLEARANCE = 0.17  # from a place to a block that goes next to another

Point = tuple[float, float]
# Positions of block, target and gripper, each (..., 2)
Points = tuple[np.ndarray, np.ndarray, np.ndarray]


def goal_distance(task: Task) -> float:
    """Return the distance between the center of the target and a block at its goal."""
    return BESIDE_DISTANCE if task.is_relational else 0.0


@dataclass(frozen=True)
class State:
    """The world at one moment; heights are above the table, opening is of the gripper in [0, 1]."""

    blocks: dict[str, Point]
    places: dict[str, Point]
    gripper: Point
    gripper_height: float = 0.08
    opening: float = 1.0
    moved: str = ''
    moved_height: float = 0.0

    def at(self, thing: str) -> Point:
        """Return the position of the block of this color, or of this place."""
        return self.blocks[thing] if thing in self.blocks else self.places[thing]


def progress(task: Task, start: State, now: State) -> float:
    """Return the progress of the task since `start`, in [0, 1].

    It is relative to the start: a block at half its initial distance from the target is half
    carried, and without motion there is no progress, however close the block is.
    """

    def points(state: State) -> Points:
        things = state.at(task.object), state.at(task.target), state.gripper
        block, target, gripper = (np.array(point) for point in things)
        return block, target, gripper

    return float(relative_progress(points(start), points(now), np.array(goal_distance(task))))


def relative_progress(start: Points, now: Points, goal: np.ndarray) -> np.ndarray:
    """Return `progress` for many states at once; goal is the `goal_distance` of each."""
    (block_0, target_0, gripper_0), (block, target, gripper) = start, now
    reach_0, reach = _distance(block_0, gripper_0), _distance(block, gripper)
    left_0 = _left(block_0, target_0, goal)
    left = _left(block, target, goal)
    approached = np.clip((reach_0 - reach) / np.maximum(reach_0, MIN_DISTANCE), 0, 1)
    carried = np.clip((left_0 - left) / np.maximum(left_0, MIN_DISTANCE), 0, 1)
    released = _free(reach) * np.clip((carried - 0.8) / 0.15, 0, 1)
    reached = carried + (1 - carried) * approached  # a block that was carried has been reached
    return APPROACH * reached + CARRY * carried + RELEASE * released


def completion(now: Points, goal: np.ndarray) -> np.ndarray:
    """Return how complete tasks are in one moment, in [0, 1]: at the goal, and released.

    It does not depend on the start; goal is the `goal_distance` of each.
    """
    block, target, gripper = now
    near = np.clip(1 - _left(block, target, goal) / NEAR, 0, 1)
    return np.asarray(near * _free(_distance(block, gripper)))


def away(a: np.ndarray, b: np.ndarray | Point) -> float:
    return float(np.hypot(*(a - b)))


def _left(block: np.ndarray, target: np.ndarray, goal: np.ndarray) -> np.ndarray:
    """Return how far blocks are from their goals; 0 within the tolerance."""
    return np.maximum(_distance(block, target) - goal - GOAL_TOLERANCE, 0)


def _free(reach: np.ndarray) -> np.ndarray:
    """Return how far a block is released, in [0, 1], by its distance from the gripper."""
    held, free = RELEASE_DISTANCES
    return np.clip((reach - held) / (free - held), 0, 1)


def _distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.asarray(np.linalg.norm(a - b, axis=-1))


@dataclass(frozen=True)
class Waypoint:
    """Position, opening and height of the gripper at a time [s]; a held block moves with it."""

    time: float
    gripper: Point
    opening: float
    height: float


def others(task: Task, state: State) -> Iterator[tuple[str, Task]]:
    """Yield the tasks of this table that differ in one word, with its name: object or target."""
    for color in state.blocks:
        if color not in (task.object, task.target):
            yield 'object', Task(color, task.target)
    for target in (*state.blocks, *state.places):
        if target not in (task.object, task.target):
            yield 'target', Task(task.object, target)
