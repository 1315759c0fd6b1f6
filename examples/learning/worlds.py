# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The worlds in which policies learn, by name, and the models that have learned to see them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from functools import cache

from topreward_ros.demo.model import FOLDER_ARMS, folder_for
from topreward_ros.errors import TopRewardError
from topreward_ros.scoring import LoadOptions, Scorer, load_scorer

from .table_world import TableWorld
from .task_world import TaskWorld

TABLE = 'table'
ARMS = ('so101', 'panda')
WORLDS = (TABLE, *ARMS)
MODELS = ('topreward', 'robometer', 'large_reward_model')


class WorldError(TopRewardError):
    """A world that cannot be simulated here."""


def models_of(world: str) -> tuple[str, ...]:
    """Return the reward models with a checkpoint that has learned to see a world."""
    return MODELS if world == TABLE else ('robometer',)


def blind(world: str, reward_model: str) -> str:
    """Return what to say of a reward model that has no such checkpoint."""
    seen = ', '.join(models_of(world))
    return f'no small {reward_model} has learned to see the world {world}; expected one of {seen}'


@cache
def scorer_of(world: str, reward_model: str) -> Scorer:
    """Load that checkpoint, once; raises ValueError if there is none."""
    if reward_model not in models_of(world):
        raise ValueError(blind(world, reward_model))
    folder = folder_for(reward_model) if world == TABLE else FOLDER_ARMS
    return load_scorer(LoadOptions(str(folder), 'cpu', reward_model=reward_model))


def one_of(world: str) -> TaskWorld:
    """Return a world; for an arm always the same one, as its model is large.

    Raises WorldError where the simulator is not installed.
    """
    return TableWorld() if world == TABLE else _arm(world)


def groups_of(world: str, seeds: Sequence[int]) -> list[list[int]]:
    """Return the seeds in groups that are played at the same time."""
    return [list(seeds)] if world == TABLE else [[seed] for seed in seeds]


@cache
def _arm(name: str) -> TaskWorld:
    try:
        from .arm_world import ArmWorld
    except ImportError as error:
        raise WorldError(
            f"{error.name} is not installed: pip install -c constraints.txt '.[learning,sim]'"
        ) from error
    return ArmWorld(name)


@contextlib.contextmanager
def closed_at_the_end(world: str) -> Iterator[None]:
    """Close a world of this name that is kept, if there is one, at the end."""
    try:
        yield
    finally:
        if _arm.cache_info().currsize and world != TABLE:
            _arm(world).close()
