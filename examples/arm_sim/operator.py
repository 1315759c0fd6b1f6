# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A scripted operator: does the task, or fails at it in one of several ways."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from topreward_ros.demo.tasks import Task

from .arm import Arm
from .kinematics import InverseKinematics
from .scene import Layout
from .trajectory import Trajectory

KINDS = ('success', 'short', 'dropped', 'wrong_object', 'wrong_target', 'undone', 'still')
POINTS = 6  # of a motion
SHORTEST = 0.5  # time of a motion [s]
HELD_HEIGHT = 0.02  # above its place, from which a block counts as lifted [m]
GRASP_TRIES = 3
RELEASE_HEIGHT = 0.002  # above the table, at which a block is let go [m]
STILL_TIME = 8.0  # [s]


class Scene(Protocol):
    """What the operator sees, and what it commands."""

    arm: Arm
    kinematics: InverseKinematics
    layout: Layout

    @property
    def time(self) -> float: ...
    @property
    def reference(self) -> np.ndarray: ...
    @property
    def gripper_reference(self) -> float: ...
    def block(self, colour: str) -> np.ndarray: ...
    def tool(self) -> np.ndarray: ...
    def command(self, trajectory: Trajectory) -> None: ...


@dataclass(frozen=True)
class Action:
    """A trajectory, or a wait without one, and the time [s] until the next action."""

    seconds: float
    trajectory: Trajectory | None = None


def task_done(kind: str, task: Task, layout: Layout, random: np.random.Generator) -> Task:
    """Return what the operator does when it is given a task: another one for some kinds."""
    if kind not in KINDS:
        raise ValueError(f'kind is {kind!r}; expected one of {", ".join(KINDS)}')
    if kind == 'wrong_object':
        others = [colour for colour in layout.blocks if colour != task.object]
        return Task(str(random.choice(others)), task.target)
    if kind == 'wrong_target':
        return Task(task.object, next(name for name in layout.targets if name != task.target))
    return task


class Operator:
    """Gives commands as time passes; kind and seed determine what it does."""

    def __init__(self, scene: Scene, task: Task, kind: str, seed: int) -> None:
        """Raises ValueError for an unknown kind."""
        self._random = np.random.default_rng([seed, 3])
        self._scene, self._kind = scene, kind
        self._done = task_done(kind, task, scene.layout, self._random)
        self._speed = scene.arm.speed * self._random.uniform(0.8, 1.2)
        self._actions = self._plan()
        self._next = scene.time
        self.is_done = False

    def act(self) -> None:
        """Give the commands that are due; to be called at every step."""
        while not self.is_done and self._scene.time >= self._next:
            action = next(self._actions, None)
            if action is None:
                self.is_done = True
                return
            if action.trajectory is not None:
                self._scene.command(action.trajectory)
            self._next = self._scene.time + action.seconds

    def _plan(self) -> Iterator[Action]:
        if self._kind == 'still':
            yield Action(STILL_TIME)
            return
        target = np.array(self._scene.layout.targets[self._done.target])
        if self._kind == 'short' and self._random.uniform() < 0.3:
            yield from self._approach()
            yield Action(2.0)
            return
        yield from self._grasp()
        partway = self._partway(target)
        if self._kind == 'dropped':
            yield from self._carry(partway)
            yield from self._grip(self._scene.arm.gripper.open)
        elif self._kind == 'short':
            yield from self._carry(partway)
            yield from self._put_down(partway)
        else:
            yield from self._carry(target)
            yield from self._put_down(target)
        yield from self._rise()
        if self._kind == 'undone':
            yield from self._grasp()
            yield from self._carry(partway)
            yield from self._put_down(partway)
            yield from self._rise()
        yield Action(0.6)

    def _partway(self, target: np.ndarray) -> np.ndarray:
        """Return a place [m] (2,) on the way to a target, at which the block is clear of it."""
        table = self._scene.arm.table
        begin = self._scene.block(self._done.object)[:2].copy()
        clear = 1 - (table.half_target + table.half_block) / np.linalg.norm(target - begin)
        share = min(self._random.uniform(0.3, 0.6), max(0.15, float(clear)))
        return begin + share * (target - begin)

    def _approach(self) -> Iterator[Action]:
        arm = self._scene.arm
        yield from self._grip(arm.gripper.open)
        x, y, _ = self._scene.block(self._done.object)
        yield from self._move((x, y, arm.hover_height))

    def _grasp(self) -> Iterator[Action]:
        """Take the block, again if it was not lifted."""
        arm = self._scene.arm
        for _ in range(GRASP_TRIES):
            yield from self._approach()
            x, y, z = self._scene.block(self._done.object)
            yield from self._move((x, y, arm.grasp_height), slow=True)
            yield from self._grip(arm.gripper.closed)
            yield Action(0.2)
            yield from self._move((x, y, arm.hover_height), slow=True)
            if self._scene.block(self._done.object)[2] > z + HELD_HEIGHT:
                return

    def _carry(self, place: np.ndarray) -> Iterator[Action]:
        yield from self._move((*(place + self._held()[:2]), self._scene.arm.hover_height))

    def _put_down(self, place: np.ndarray) -> Iterator[Action]:
        held = self._held()
        height = self._scene.arm.table.half_block + held[2] + RELEASE_HEIGHT
        yield from self._move((*(place + held[:2]), height), slow=True)
        yield from self._grip(self._scene.arm.gripper.open)
        yield Action(0.2)

    def _held(self) -> np.ndarray:
        """Return how far the tool is from the middle of the block that it holds [m] (3,)."""
        return self._scene.tool() - self._scene.block(self._done.object)

    def _rise(self) -> Iterator[Action]:
        x, y, _ = self._scene.kinematics.tool(self._scene.reference)
        yield from self._move((x, y, self._scene.arm.hover_height), slow=True)

    def _grip(self, position: float) -> Iterator[Action]:
        gripper = self._scene.arm.gripper
        way = abs(position - self._scene.gripper_reference)
        seconds = max(0.3, 1.2 * way / gripper.max_velocity)
        rows = np.array([[position]])
        yield Action(seconds, Trajectory((gripper.joint,), np.array([seconds]), rows))

    def _move(self, goal: tuple[float, float, float], slow: bool = False) -> Iterator[Action]:
        """Move the tool around the arm's first axis to a place [m], as far as it is reached."""
        scene, arm = self._scene, self._scene.arm
        q = scene.reference
        way = _way(scene.kinematics.tool(q), np.array(goal), np.array(arm.table.center))
        yaw = scene.layout.yaws[self._done.object]
        rows: list[np.ndarray] = []
        for place in way:
            found = scene.kinematics.solve(place, yaw, q if rows else None)
            q = q if found is None else found
            rows.append(q)
        length = float(np.linalg.norm(np.diff(way, axis=0), axis=1).sum())
        fastest = np.abs(rows[-1] - scene.reference) / np.array(arm.max_velocity)
        seconds = max(SHORTEST, length / (self._speed * (0.6 if slow else 1.0)))
        seconds = max(seconds, 2.5 * float(fastest.max()))
        positions, times = np.array(rows), seconds * np.arange(1, POINTS + 1) / POINTS
        velocities = np.gradient(np.vstack([scene.reference, positions]), seconds / POINTS, axis=0)
        velocities[-1] = 0.0
        trajectory = Trajectory(tuple(arm.joints), times, positions, velocities[1:])
        yield Action(seconds + 0.15, trajectory)


def _way(begin: np.ndarray, goal: np.ndarray, center: np.ndarray) -> np.ndarray:
    """Return places (POINTS, 3) from one to another [m], slow at both ends, around a centre."""

    def polar(place: np.ndarray) -> np.ndarray:
        x, y = place[:2] - center
        return np.array([np.hypot(x, y), np.arctan2(y, x), place[2]])

    s = np.arange(1, POINTS + 1)[:, None] / POINTS
    smooth = s * s * (3 - 2 * s)
    first, last = polar(begin), polar(goal)
    radius, angle, height = (first + smooth * (last - first)).T
    flat = center + np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return np.column_stack([flat, height])
