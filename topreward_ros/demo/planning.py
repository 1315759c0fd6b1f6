# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Random tables of the small world, and the arm's motion in successful and failed attempts."""

from __future__ import annotations

import numpy as np

from .table import (
    ARM_BASE,
    BESIDE_DISTANCE,
    BLOCKS_ON_TABLE,
    MAX_OTHER_PROGRESS,
    MIN_CARRY,
    PLACE_CLEARANCE,
    PLACES_ON_TABLE,
    RELATIONAL_SHARE,
    Point,
    State,
    Waypoint,
    away,
    goal_distance,
    others,
)
from .tasks import COLORS, PLACES, Task


def arrange_table(
    random: np.random.Generator, kind: str, task: Task | None
) -> tuple[State, Task, Task]:
    """Return a table, the task that the arm does on it, and the task it was given.

    task is the given one; a random one if it is None.
    """
    relational = random.random() < RELATIONAL_SHARE
    for _ in range(100_000):
        state = _table(random, task)
        if state is None:
            continue
        given = task or _choose(random, state, relational)
        done = given
        wrong = {'wrong_object': 'object', 'wrong_target': 'target'}.get(kind)
        if wrong:
            choices = [other for what, other in others(given, state) if what == wrong]
            done = choices[random.integers(len(choices))]
        if _is_clear(state, done) and _is_clear(state, given):
            return state, done, given
    raise RuntimeError('no table was found for this task')


def _table(random: np.random.Generator, task: Task | None) -> State | None:
    """Place blocks, places and gripper at random; None where they would be too close."""
    colors = _sample_names(random, COLORS, BLOCKS_ON_TABLE, task)
    places = _sample_names(random, PLACES, PLACES_ON_TABLE, task)
    # The places and one block near the edge, the other blocks in the middle
    points = random.uniform(0.13, 0.87, (60, 2))
    from_middle = np.linalg.norm(points - (0.5, 0.53), axis=1)
    from_base = np.linalg.norm(points - (0.5, 0.0), axis=1)
    around = _spaced(points[(from_middle > 0.30) & (from_base > 0.28)], len(places) + 1, 0.27)
    if around is None:
        return None
    middle = random.uniform(0.2, 0.8, (60, 2))
    near = np.linalg.norm(middle[:, None] - np.array(around)[None], axis=-1).min(1)
    inner = _spaced(middle[near > 0.22], len(colors) - 1, 0.2)
    if inner is None:
        return None
    blocks = [around.pop(), *inner]
    gripper = (float(random.uniform(0.2, 0.8)), float(random.uniform(0.15, 0.75)))
    if min(float(np.linalg.norm(np.array(b) - gripper)) for b in blocks) < 0.2:
        return None
    return State(
        blocks=dict(zip(colors, blocks, strict=True)),
        places=dict(zip(places, around, strict=True)),
        gripper=gripper,
    )


def _sample_names(
    random: np.random.Generator, names: tuple[str, ...], count: int, task: Task | None
) -> list[str]:
    """Sample names in random order, those of the task included."""
    needed = [name for name in names if task and name in (task.object, task.target)]
    optional = [name for name in names if name not in needed]
    chosen = [*needed, *(str(name) for name in random.permutation(optional))][:count]
    return [chosen[k] for k in random.permutation(count)]


def _spaced(points: np.ndarray, count: int, distance: float) -> list[Point] | None:
    """Return the first `count` points with at least this distance from each other, or None."""
    chosen: list[Point] = []
    for point in points:
        if all(np.hypot(point[0] - x, point[1] - y) >= distance for x, y in chosen):
            chosen.append((float(point[0]), float(point[1])))
            if len(chosen) == count:
                return chosen
    return None


def _choose(random: np.random.Generator, state: State, relational: bool) -> Task:
    colors = list(state.blocks)
    color = colors[random.integers(len(colors))]
    targets = [c for c in colors if c != color] if relational else list(state.places)
    return Task(color, targets[random.integers(len(targets))])


def _is_clear(state: State, task: Task) -> bool:
    """Return whether the goal is far enough, has room, and is no progress in other tasks."""
    start, goal = np.array(state.at(task.object)), _goal(state, task)
    if away(goal, start) < MIN_CARRY:
        return False
    if task.is_relational:
        near = [at for at in state.places.values() if away(goal, at) < PLACE_CLEARANCE]
        apart = set(state.blocks) - {task.object, task.target}
        if near or any(away(goal, state.blocks[color]) < BESIDE_DISTANCE for color in apart):
            return False
    for what, other in others(task, state):
        if what == 'target':
            middle, least = state.at(other.target), goal_distance(other)
            if away(goal, middle) - least < (1 - MAX_OTHER_PROGRESS) * (
                away(start, middle) - least
            ):
                return False
    return True


def _goal(state: State, task: Task) -> np.ndarray:
    """Return the goal of the block: the place, or a point on the near side of the other block."""
    start, target = np.array(state.at(task.object)), np.array(state.at(task.target))
    offset = target - start
    distance = max(float(np.linalg.norm(offset)), 1e-9)
    return np.asarray(target - offset * goal_distance(task) / distance)


def plan_attempt(
    random: np.random.Generator, kind: str, state: State, task: Task
) -> tuple[list[Waypoint], float, float]:
    """Return the gripper's waypoints, and the times [s] of grasp and release (inf for never)."""
    never = float('inf')
    home, start = state.gripper, state.at(task.object)
    waypoints = [Waypoint(0.0, home, 1.0, 0.08)]
    if kind == 'still':
        waypoints.append(Waypoint(float(random.uniform(3.0, 4.0)), home, 1.0, 0.08))
        return waypoints, never, never
    goal = tuple(float(c) for c in _goal(state, task) + random.uniform(-0.012, 0.012, 2))

    def go(seconds: float, to: Point, opening: float, height: float) -> float:
        waypoints.append(Waypoint(waypoints[-1].time + seconds, to, opening, height))
        return waypoints[-1].time

    def carry(seconds: float, share_0: float, share_1: float) -> None:
        legs = 6
        for leg in range(1, legs + 1):
            share = share_0 + (share_1 - share_0) * leg / legs
            x, y = ((1 - share) * a + share * b for a, b in zip(start, goal, strict=True))
            height = 0.07 * float(np.sin(np.pi * share))
            pace = float(random.uniform(0.7, 1.3))
            go(seconds / legs * pace, (x, y), 0.0, height)

    go(float(random.uniform(0.8, 1.2)), start, 1.0, 0.0)
    grasp = go(0.2, start, 0.0, 0.0)
    seconds = float(random.uniform(1.4, 2.0))
    if kind == 'short':
        share = float(random.uniform(0.15, 0.6))
        carry(seconds * share, 0.0, share)
        return waypoints, grasp, never
    if kind == 'undone':
        carry(0.8 * seconds, 0.0, 1.0)
        carry(0.8 * seconds, 1.0, float(random.uniform(0.0, 0.2)))
        return waypoints, grasp, never
    carry(seconds, 0.0, 1.0)
    release = go(0.2, waypoints[-1].gripper, 1.0, waypoints[-1].height)
    back = np.array(ARM_BASE) - waypoints[-1].gripper
    retreat = np.array(waypoints[-1].gripper) + 0.2 * back / max(float(np.linalg.norm(back)), 0.2)
    go(0.6, (float(retreat[0]), float(retreat[1])), 1.0, 0.08)
    return waypoints, grasp, release
