# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Demonstrations of mixed quality, by a scripted operator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .task_world import TaskWorld
from .worlds import TABLE, one_of

# Shares of the kinds, for a policy that is refined, and for one that is only cloned
IMPERFECT = {'good': 0.65, 'beside': 0.35}
MIXED = {'good': 0.6, 'beside': 0.1, 'wrong block': 0.1, 'dropped': 0.1, 'dawdling': 0.1}

BESIDE = 0.10  # standard deviation, per axis, of where the place is taken to be [table widths]
SLOW = 0.35  # speed of one who dawdles, as a share
HAND = 0.15  # standard deviation of a movement, of its range of 1
NOBODY_MOVES = np.array([0.0, 0.0, -1.0])


@dataclass(frozen=True)
class Demonstration:
    """What was asked, and done: observations (steps, 8), actions (steps, 3), float32.

    progress (steps + 1) is the true one at the beginning and after each step; so are the pictures,
    uint8 RGB, where they were asked for. is_done: the block lies at its place at the end.
    """

    kind: str
    task: str
    observations: np.ndarray
    actions: np.ndarray
    progress: np.ndarray
    is_done: bool
    pictures: tuple[np.ndarray, ...] = ()


def demonstrations(
    seed: int,
    count: int,
    shares: Mapping[str, float],
    look: bool = False,
    world: str = TABLE,
) -> list[Demonstration]:
    """Return `count` demonstrations of these kinds, by their shares; look: with pictures."""
    random = np.random.default_rng(seed)
    kinds = random.choice(list(shares), count, p=list(shares.values()))
    return [demonstrate(str(kind), one_of(world), random, look) for kind in kinds]


def demonstrate(
    kind: str, world: TaskWorld, random: np.random.Generator, look: bool = False
) -> Demonstration:
    """Return a demonstration of this kind at a random table."""
    observation, told = world.reset(seed=int(random.integers(2**31)))
    operator = Operator(kind, world, random)
    observations, actions, progress = [], [], [told['true_progress']]
    pictures: list[Any] = [world.render()] if look else []
    for _ in range(world.steps):
        observations.append(observation)
        actions.append(operator.act())
        observation, _, _, _, told = world.step(actions[-1])
        progress.append(told['true_progress'])
        if look:
            pictures.append(world.render())
    return Demonstration(
        kind,
        world.task.say(),
        np.array(observations),
        np.array(actions),
        np.array(progress),
        told['is_done'],
        tuple(pictures),
    )


class Operator:
    """Does one demonstration, of a kind, in a world that was just reset."""

    def __init__(self, kind: str, world: TaskWorld, random: np.random.Generator) -> None:
        self._world, self._random = world, random
        self._task = world.task
        if kind == 'wrong block':
            wrong = world.other_blocks()
            self._task = wrong[int(random.integers(len(wrong)))]
        self._offset = random.normal(0, BESIDE, 2) if kind == 'beside' else np.zeros(2)
        self._tolerance = random.uniform(0.02, 0.05)
        self._speed = SLOW if kind == 'dawdling' else 1.0
        way = float(np.linalg.norm(world.observed(self._task)[2:4]))
        self._drops_at = way * random.uniform(0.35, 0.65) if kind == 'dropped' else 0.0
        self._has_dropped = False

    def act(self) -> np.ndarray:
        """Return the next action, float32 (3,)."""
        observation = self._world.observed(self._task)
        is_held, left = observation[6] > 0, float(np.linalg.norm(observation[2:4]))
        self._has_dropped = self._has_dropped or (is_held and left < self._drops_at)
        if self._has_dropped:
            action = NOBODY_MOVES.copy()
        else:
            action = intended(observation, self._offset, self._tolerance)
            action[:2] *= self._speed
        action[:2] += self._random.normal(0, HAND * self._speed, 2)
        return action.astype(np.float32)


def intended(observation: np.ndarray, offset: np.ndarray, tolerance: float) -> np.ndarray:
    """Return what an operator does, (3,), who takes the place to be elsewhere by an offset."""
    to_block, block_to_place, to_place = observation[0:2], observation[2:4], observation[4:6]
    is_held, opening = observation[6] > 0, observation[7]
    if is_held:
        way = to_place + offset
        if np.linalg.norm(way) < tolerance:
            return NOBODY_MOVES.copy()
        return np.append(np.clip(way / 0.08, -1, 1), 1.0)
    if np.linalg.norm(block_to_place) < 0.16 and np.linalg.norm(to_block) < 0.3 and opening > 0.5:
        away = -to_block if to_block.any() else np.ones(2)  # from exactly above, any way leads off
        away = away / (np.linalg.norm(away) + 1e-6)
        return np.append(np.clip(away, -1, 1), -1.0)
    if np.linalg.norm(to_block) < 0.035:
        return np.array([0.0, 0.0, 1.0])
    return np.append(np.clip(to_block / 0.08, -1, 1), -1.0)
