# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Episodes of a policy, on several tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
import torch

from .policy import Policy
from .ppo import Batch
from .worlds import TABLE, groups_of, one_of

TABLES = 150  # on which success is judged by the truth, the same for all
Env = gymnasium.Env[Any, Any]


@dataclass(frozen=True)
class Episodes(Batch):
    """A batch, with the truth: progress at each end (n), done after each step (n, steps).

    tasks (n) are those that were asked for; pictures, uint8 RGB, steps + 1 for each episode,
    where they were asked for.
    """

    progress: np.ndarray
    done: np.ndarray
    tasks: tuple[str, ...]
    pictures: tuple[list[np.ndarray], ...] = ()

    @property
    def is_done(self) -> np.ndarray:
        """Whether it is done at the end, (n)."""
        return np.asarray(self.done[:, -1])


def play(policy: Policy, envs: Sequence[Env], seeds: Sequence[int], look: bool = False) -> Episodes:
    """Play an episode in each environment, all at the same time; look: with pictures."""
    pairs = list(zip(envs, seeds, strict=True))
    now = np.stack([env.reset(seed=seed)[0] for env, seed in pairs])
    pictures: tuple[list[np.ndarray], ...] = tuple([] for _ in envs)
    observations, actions, rewards, done = [], [], [], []
    for _ in range(envs[0].get_wrapper_attr('steps')):
        _look(envs, pictures, look)
        observations.append(now)
        actions.append(policy.act(now))
        steps = [env.step(action) for env, action in zip(envs, actions[-1], strict=True)]
        now = np.stack([step[0] for step in steps])
        rewards.append([float(step[1]) for step in steps])
        done.append([bool(step[4]['is_done']) for step in steps])
    _look(envs, pictures, look)
    told = [step[4] for step in steps]
    return Episodes(
        np.stack(observations, 1),
        np.stack(actions, 1),
        np.array(rewards).T,
        np.array([each['true_progress'] for each in told]),
        np.array(done).T,
        tuple(env.get_wrapper_attr('task').say() for env in envs),
        pictures,
    )


def _look(envs: Sequence[Env], pictures: Sequence[list[Any]], look: bool) -> None:
    for env, seen in zip(envs, pictures, strict=True):
        if look:
            seen.append(env.render())


def play_in(world: str, policy: Policy, seeds: Sequence[int], look: bool = False) -> Episodes:
    """Play an episode at the table of each seed in the world of this name."""
    groups = groups_of(world, seeds)
    return joined([play(policy, [one_of(world) for _ in group], group, look) for group in groups])


def joined(parts: Sequence[Episodes]) -> Episodes:
    """Return the episodes of all parts as one batch."""

    def together(name: str) -> np.ndarray:
        return np.concatenate([getattr(part, name) for part in parts])

    return Episodes(
        together('observations'),
        together('actions'),
        together('rewards'),
        together('progress'),
        together('done'),
        tuple(task for part in parts for task in part.tasks),
        tuple(seen for part in parts for seen in part.pictures),
    )


def success(policy: Policy, tables: int = TABLES, world: str = TABLE) -> float:
    """Return the share of tables on which the policy succeeds, by the truth."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return float(play_in(world, policy, range(tables)).is_done.mean())
