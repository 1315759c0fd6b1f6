# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A small world: an arm over a table moves a block, well or badly, and the truth is known.

Lengths are in widths of the table, x to the right and y towards the viewer, both in [0, 1].
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from .tasks import COLOURS, PLACES, Task

KINDS = ('success', 'short', 'wrong_object', 'wrong_target', 'undone', 'still')
KIND_NAMES = {
    'success': 'success',
    'short': 'stops short',
    'wrong_object': 'wrong object',
    'wrong_target': 'wrong target',
    'undone': 'undone at the end',
    'still': 'stands still',
}

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


def _away(a: np.ndarray, b: np.ndarray | Point) -> float:
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


class Episode:
    """One attempt at a task, the same for the same seed, kind and task.

    `task` is what is asked; what the arm does is told by the kind. `seconds` is how long it moves
    and rests a moment at the end; later it stays as it is.
    """

    def __init__(self, seed: int, kind: str = 'success', task: Task | None = None) -> None:
        """Raises ValueError for an unknown kind."""
        if kind not in KINDS:
            raise ValueError(f'no episode is of kind {kind!r}; expected one of {", ".join(KINDS)}')
        random = np.random.default_rng([seed, KINDS.index(kind)])
        self.seed = seed
        self.kind = kind
        self.appearance = int(random.integers(2**31))
        self.start, self.done, self.task = _arrange(random, kind, task)
        self._waypoints, self._grasp, self._release = _plan(random, kind, self.start, self.done)
        self.seconds = self._waypoints[-1].time + 0.6

    @property
    def is_success(self) -> bool:
        return self.kind == 'success'

    def state(self, time: float) -> State:
        """The world at a time [s] since the beginning."""
        gripper, opening, height = self._gripper(time)
        blocks = dict(self.start.blocks)
        moved_height = 0.0
        if time >= self._grasp:
            at, _, lifted = self._gripper(min(time, self._release))
            blocks[self.done.object] = at
            moved_height = lifted
        return replace(
            self.start,
            blocks=blocks,
            gripper=gripper,
            gripper_height=max(height, 0.02),
            opening=opening,
            moved=self.done.object,
            moved_height=moved_height,
        )

    def progress(self, time: float, task: Task | None = None) -> float:
        """True progress of the task asked, or of another, at a time [s]."""
        return progress(task or self.task, self.start, self.state(time))

    def times(self, frames: int) -> np.ndarray:
        """Times [s] of so many frames, evenly from the beginning to the end."""
        return np.linspace(0, self.seconds, frames)

    def _gripper(self, time: float) -> tuple[Point, float, float]:
        points = self._waypoints
        if time >= points[-1].time:
            last = points[-1]
            return last.gripper, last.opening, last.height
        k = max(1, int(np.searchsorted([point.time for point in points], time, side='right')))
        before, after = points[k - 1], points[k]
        share = (time - before.time) / max(after.time - before.time, 1e-9)
        smooth = 0.6 * share + 0.4 * share * share * (3 - 2 * share)
        mix = [
            (1 - smooth) * a + smooth * b
            for a, b in zip(
                (*before.gripper, before.opening, before.height),
                (*after.gripper, after.opening, after.height),
                strict=True,
            )
        ]
        return (mix[0], mix[1]), mix[2], mix[3]


def others(task: Task, state: State) -> Iterator[tuple[str, Task]]:
    """The tasks of this table that are like it but wrong, each with what is: object or target."""
    for colour in state.blocks:
        if colour not in (task.object, task.target):
            yield 'object', Task(colour, task.target)
    for target in (*state.blocks, *state.places):
        if target not in (task.object, task.target):
            yield 'target', Task(task.object, target)


def _arrange(
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
    if _away(goal, start) < SHORTEST_WAY:
        return False
    if task.is_relational:
        near = [at for at in state.places.values() if _away(goal, at) < ROOM_FROM_PLACE]
        apart = set(state.blocks) - {task.object, task.target}
        if near or any(_away(goal, state.blocks[colour]) < BESIDE for colour in apart):
            return False
    for what, other in others(task, state):
        if what == 'target':
            middle, least = state.at(other.target), goal_distance(other)
            if _away(goal, middle) - least < (1 - ASTRAY) * (_away(start, middle) - least):
                return False
    return True


def _goal(state: State, task: Task) -> np.ndarray:
    """Where the block shall come to lie: on the place, or on the near side of the other block."""
    start, target = np.array(state.at(task.object)), np.array(state.at(task.target))
    way = target - start
    return np.asarray(target - way * goal_distance(task) / max(float(np.linalg.norm(way)), 1e-9))


def _plan(
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
