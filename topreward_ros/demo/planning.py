# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How the small world's table is set, and how an attempt at a task goes, well or badly."""

from __future__ import annotations

import numpy as np

from .table import (
    ARM_BASE,
    ASTRAY,
    BESIDE,
    BLOCKS_ON_TABLE,
    PLACES_ON_TABLE,
    RELATIONAL,
    ROOM_FROM_PLACE,
    SHORTEST_WAY,
    Point,
    State,
    Waypoint,
    away,
    goal_distance,
    others,
)
from .tasks import COLOURS, PLACES, Task


def arrange_table(
    random: np.random.Generator, kind: str, wanted: Task | None
) -> tuple[State, Task, Task]:
    """A table, what the arm does on it, and what it was asked to do."""
    relational = random.random() < RELATIONAL
    for _ in range(100_000):
        state = _table(random, wanted)
        if state is None:
            continue
        asked = wanted or _choose(random, state, relational)
        done = asked
        wrong = {'wrong_object': 'object', 'wrong_target': 'target'}.get(kind)
        if wrong:
            choices = [task for what, task in others(asked, state) if what == wrong]
            done = choices[random.integers(len(choices))]
        if _is_clear(state, done) and _is_clear(state, asked):
            return state, done, asked
    raise RuntimeError('no table was found for this task')  # never seen


def _table(random: np.random.Generator, wanted: Task | None) -> State | None:
    colours = _some(random, COLOURS, BLOCKS_ON_TABLE, wanted)
    places = _some(random, PLACES, PLACES_ON_TABLE, wanted)
    # The places and one block around, the other blocks in the middle
    points = random.uniform(0.13, 0.87, (60, 2))
    from_middle = np.linalg.norm(points - (0.5, 0.53), axis=1)
    from_base = np.linalg.norm(points - (0.5, 0.0), axis=1)
    around = _apart(points[(from_middle > 0.30) & (from_base > 0.28)], len(places) + 1, 0.27)
    if around is None:
        return None
    middle = random.uniform(0.2, 0.8, (60, 2))
    near = np.linalg.norm(middle[:, None] - np.array(around)[None], axis=-1).min(1)
    inner = _apart(middle[near > 0.22], len(colours) - 1, 0.2)
    if inner is None:
        return None
    blocks = [around.pop(), *inner]
    gripper = (float(random.uniform(0.2, 0.8)), float(random.uniform(0.15, 0.75)))
    if min(float(np.linalg.norm(np.array(b) - gripper)) for b in blocks) < 0.2:
        return None
    return State(
        blocks=dict(zip(colours, blocks, strict=True)),
        places=dict(zip(places, around, strict=True)),
        gripper=gripper,
    )


def _some(
    random: np.random.Generator, names: tuple[str, ...], count: int, wanted: Task | None
) -> list[str]:
    needed = [name for name in names if wanted and name in (wanted.object, wanted.target)]
    rest = [name for name in names if name not in needed]
    chosen = [*needed, *(str(name) for name in random.permutation(rest))][:count]
    return [chosen[k] for k in random.permutation(count)]


def _apart(points: np.ndarray, count: int, distance: float) -> list[Point] | None:
    """The first so many points that are this far from each other."""
    taken: list[Point] = []
    for point in points:
        if all(np.hypot(point[0] - x, point[1] - y) >= distance for x, y in taken):
            taken.append((float(point[0]), float(point[1])))
            if len(taken) == count:
                return taken
    return None


def _choose(random: np.random.Generator, state: State, relational: bool) -> Task:
    colours = list(state.blocks)
    colour = colours[random.integers(len(colours))]
    targets = [c for c in colours if c != colour] if relational else list(state.places)
    return Task(colour, targets[random.integers(len(targets))])


def _is_clear(state: State, task: Task) -> bool:
    """Whether the task is worth the way, has room, and brings the block nearer to nothing else."""
    start, goal = np.array(state.at(task.object)), _goal(state, task)
    if away(goal, start) < SHORTEST_WAY:
        return False
    if task.is_relational:
        near = [at for at in state.places.values() if away(goal, at) < ROOM_FROM_PLACE]
        apart = set(state.blocks) - {task.object, task.target}
        if near or any(away(goal, state.blocks[colour]) < BESIDE for colour in apart):
            return False
    for what, other in others(task, state):
        if what == 'target':
            middle, least = state.at(other.target), goal_distance(other)
            if away(goal, middle) - least < (1 - ASTRAY) * (away(start, middle) - least):
                return False
    return True


def _goal(state: State, task: Task) -> np.ndarray:
    """Where the block shall come to lie: on the place, or on the near side of the other block."""
    start, target = np.array(state.at(task.object)), np.array(state.at(task.target))
    way = target - start
    return np.asarray(target - way * goal_distance(task) / max(float(np.linalg.norm(way)), 1e-9))


def plan_attempt(
    random: np.random.Generator, kind: str, state: State, task: Task
) -> tuple[list[Waypoint], float, float]:
    """The gripper's way, and the times [s] at which it takes the block and lets it go."""
    never = float('inf')
    home, start = state.gripper, state.at(task.object)
    path = [Waypoint(0.0, home, 1.0, 0.08)]
    if kind == 'still':
        path.append(Waypoint(float(random.uniform(3.0, 4.0)), home, 1.0, 0.08))
        return path, never, never
    goal = tuple(float(c) for c in _goal(state, task) + random.uniform(-0.012, 0.012, 2))

    def go(seconds: float, to: Point, opening: float, height: float) -> float:
        path.append(Waypoint(path[-1].time + seconds, to, opening, height))
        return path[-1].time

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
        return path, grasp, never
    if kind == 'undone':
        carry(0.8 * seconds, 0.0, 1.0)
        carry(0.8 * seconds, 1.0, float(random.uniform(0.0, 0.2)))
        return path, grasp, never
    carry(seconds, 0.0, 1.0)
    release = go(0.2, path[-1].gripper, 1.0, path[-1].height)
    back = np.array(ARM_BASE) - path[-1].gripper
    away = np.array(path[-1].gripper) + 0.2 * back / max(float(np.linalg.norm(back)), 0.2)
    go(0.6, (float(away[0]), float(away[1])), 1.0, 0.08)
    return path, grasp, release
