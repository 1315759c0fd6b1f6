# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Refine cloned policies by rewards, paired by seed, and report the true success before and after.

    python -m examples.learning.online FOLDER --rewards robometer true noise --seeds 0 1 2 3 4
    python -m examples.learning.online FOLDER --rewards node   # by a running reward node

Each run leaves a file in FOLDER and is not repeated; two processes can share the folder.
"""

from __future__ import annotations

import argparse
import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import track

from topreward_ros.demo.model import folder_for, settings_for
from topreward_ros.learning import LiveReward, episode_rewards
from topreward_ros.reward.live import RewardOptions
from topreward_ros.scoring import LoadOptions, Sampling, load_scorer

from .demonstrations import IMPERFECT, demonstrations
from .episodes import TABLES, Episodes, play, success
from .policy import CLONING_STEPS, Policy, clone
from .ppo import Learner
from .report import report
from .runs import once, results_of
from .table_world import SECONDS, TableWorld

MODELS = ('topreward', 'robometer', 'large_reward_model')
REWARDS = (*MODELS, 'node', 'true', 'noise')
NOISE = 0.08  # standard deviation of a reward without meaning, about that of a model's

Player = Callable[[Policy, Sequence[int]], Episodes]  # an episode at the table of each seed


@contextlib.contextmanager
def player(name: str, seed: int, options: argparse.Namespace) -> Iterator[Player]:
    """Yield what plays episodes with the rewards of this name."""
    if name == 'node':
        with contextlib.closing(_live(options)) as env:
            yield lambda policy, seeds: _joined([play(policy, [env], [s]) for s in seeds])
    elif name in MODELS:
        yield _scored(name)
    else:
        random = np.random.default_rng(seed)

        def noisy(episodes: Episodes) -> Episodes:
            return replace(episodes, rewards=random.normal(0, NOISE, episodes.rewards.shape))

        said = noisy if name == 'noise' else (lambda episodes: episodes)
        yield lambda policy, seeds: said(play(policy, _worlds(seeds), seeds))


def _worlds(seeds: Sequence[int]) -> list[TableWorld]:
    return [TableWorld() for _ in seeds]


def _live(options: argparse.Namespace) -> LiveReward:
    """Return a world whose rewards a running node gives, over DDS and step by step."""
    world = TableWorld()
    return LiveReward(
        world,
        lambda _: world.task.say(),
        seconds=SECONDS,
        reward_node=options.node,
        image_topic=options.image_topic,
    )


def _scored(name: str) -> Player:
    """Return what plays, and then scores the pictures of each episode in one pass."""
    scorer = load_scorer(LoadOptions(str(folder_for(name)), 'cpu', reward_model=name))
    reading = RewardOptions(**settings_for(name))

    def scored(policy: Policy, seeds: Sequence[int]) -> Episodes:
        worlds = _worlds(seeds)
        episodes = play(policy, worlds, seeds, look=True)
        rewards = [
            episode_rewards(
                scorer,
                world.task.say(),
                seen,
                seconds=SECONDS,
                reward=reading,
                sampling=Sampling(fps=1 / SECONDS),
            )
            for world, seen in zip(worlds, episodes.pictures, strict=True)
        ]
        return replace(episodes, rewards=np.stack(rewards))

    return scored


def _joined(episodes: Sequence[Episodes]) -> Episodes:
    names = ('observations', 'actions', 'rewards', 'progress', 'is_done')
    return Episodes(*(np.concatenate([getattr(e, name) for e in episodes]) for name in names))


def base(seed: int, options: argparse.Namespace) -> Policy:
    """Return a policy that was cloned from imperfect demonstrations."""
    shown = demonstrations(seed, options.demonstrations, IMPERFECT)
    observations = np.concatenate([each.observations for each in shown])
    actions = np.concatenate([each.actions for each in shown])
    return clone(seed, observations, actions, steps=options.cloning_steps)


def refine(name: str, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """Clone a policy, refine it; return success before and after, and the course of it."""
    began = time.monotonic()
    policy = base(seed, options)
    before = success(policy, options.tables)
    learner, course = Learner(policy), []
    torch.manual_seed(seed)
    random = np.random.default_rng([seed, 1])  # of the tables, the same for all rewards
    steps = range(options.iterations)
    with player(name, seed, options) as played:
        for _ in track(steps, f'{name}, seed {seed}', console=Console(stderr=True)):
            episodes = played(policy, random.integers(2**31, size=options.episodes).tolist())
            learner.learn(episodes)
            course.append(
                {
                    'reward': float(episodes.rewards.sum(1).mean()),
                    'true_progress': float(episodes.progress.mean()),
                    'success': float(episodes.is_done.mean()),
                }
            )
    return {
        'reward': name,
        'seed': seed,
        'before': before,
        'after': success(policy, options.tables),
        'seconds': round(time.monotonic() - began, 1),
        'course': course,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    torch.set_num_threads(1)  # the models are small
    options.folder.mkdir(parents=True, exist_ok=True)
    for seed in options.seeds:
        for name in options.rewards:
            file = options.folder / f'{name}-{seed}.json'
            once(file, options, partial(refine, name, seed, options))
    report(results_of(options.folder, 'reward'))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('folder', type=Path, help='of the results')
    parser.add_argument('--rewards', nargs='+', choices=REWARDS, default=[*MODELS, 'true', 'noise'])
    parser.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument('--iterations', type=int, default=30)
    parser.add_argument('--episodes', type=int, default=24, help='of an iteration')
    parser.add_argument('--tables', type=int, default=TABLES, help='on which success is judged')
    parser.add_argument('--demonstrations', type=int, default=400)
    parser.add_argument('--cloning-steps', type=int, default=CLONING_STEPS)
    parser.add_argument('--node', default='/topreward', help='whose rewards those of node are')
    parser.add_argument('--image-topic', default='/image', help='at which this node looks')
    return parser


if __name__ == '__main__':
    main()
