# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Refine cloned policies by rewards, paired by seed, and report the true success before and after.

    python -m examples.learning.online FOLDER --rewards robometer true noise --seeds 0 1 2 3 4
    python -m examples.learning.online FOLDER --rewards node   # by a running reward node
    python -m examples.learning.online FOLDER --world so101    # the simulated arm

Each run leaves a file in FOLDER and is not repeated; two processes can share the folder.
"""

from __future__ import annotations

import argparse
import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import track

from topreward_ros.commands.arguments import whole
from topreward_ros.demo.model import settings_for
from topreward_ros.learning import LiveReward, episode_rewards
from topreward_ros.learning.reward_wrapper import check_weight
from topreward_ros.reward.live import RewardOptions
from topreward_ros.scoring import Sampling

from .demonstrations import IMPERFECT, demonstrations
from .episodes import TABLES, Episodes, joined, play, play_in, success
from .policy import CLONING_STEPS, Policy, clone
from .ppo import Learner
from .report import report
from .runs import begin, once, results_of, seed_of
from .worlds import MODELS, TABLE, WORLDS, blind, closed_at_the_end, models_of, one_of, scorer_of

REWARDS = (*MODELS, 'node', 'true', 'noise')
# Standard deviation of a reward without meaning: as measured of a Robometer's, whose progress
# alone counts, and what each unit of --success-weight adds
NOISE = {TABLE: (0.08, 0.09), 'so101': (0.15, 0.13), 'panda': (0.15, 0.13)}

Player = Callable[[Policy, Sequence[int]], Episodes]  # an episode at the table of each seed


@contextlib.contextmanager
def player(name: str, seed: int, options: argparse.Namespace) -> Iterator[Player]:
    """Yield what plays episodes with the rewards of this name."""
    if name == 'node':
        with contextlib.closing(_live(options)) as env:
            yield lambda policy, seeds: joined([play(policy, [env], [s]) for s in seeds])
    elif name in MODELS:
        yield _scored(name, options)
    else:
        random = np.random.default_rng(seed)
        of_progress, of_success = NOISE[options.world]
        deviation = of_progress + options.success_weight * of_success

        def noisy(episodes: Episodes) -> Episodes:
            return replace(episodes, rewards=random.normal(0, deviation, episodes.rewards.shape))

        def true(episodes: Episodes) -> Episodes:
            gained = np.diff(episodes.done.astype(float), prepend=0.0)
            return replace(episodes, rewards=episodes.rewards + options.success_weight * gained)

        said = noisy if name == 'noise' else true
        yield lambda policy, seeds: said(play_in(options.world, policy, seeds))


def _live(options: argparse.Namespace) -> LiveReward:
    """Return a world whose rewards a running node gives, over DDS and step by step."""
    world = one_of(options.world)
    return LiveReward(
        world,
        lambda _: world.task.say(),
        seconds=world.seconds,
        reward_node=options.node,
        image_topic=options.image_topic,
        success_weight=options.success_weight,
    )


def _scored(name: str, options: argparse.Namespace) -> Player:
    """Return what plays, and then scores the pictures of each episode in one pass."""
    world = options.world
    scorer = scorer_of(world, name)
    reading = RewardOptions(**settings_for(name))
    seconds = one_of(world).seconds

    def scored(policy: Policy, seeds: Sequence[int]) -> Episodes:
        episodes = play_in(world, policy, seeds, look=True)
        rewards = [
            episode_rewards(
                scorer,
                task,
                seen,
                seconds=seconds,
                reward=reading,
                sampling=Sampling(fps=1 / seconds),
                success_weight=options.success_weight,
            )
            for task, seen in zip(episodes.tasks, episodes.pictures, strict=True)
        ]
        return replace(episodes, rewards=np.stack(rewards))

    return scored


class Base:
    """A policy that is cloned from imperfect demonstrations when it is first asked for."""

    def __init__(self, seed: int, options: argparse.Namespace) -> None:
        self.seed, self._options = seed, options

    @cached_property
    def policy(self) -> Policy:
        options = self._options
        shown = demonstrations(self.seed, options.demonstrations, IMPERFECT, world=options.world)
        observations = np.concatenate([each.observations for each in shown])
        actions = np.concatenate([each.actions for each in shown])
        return clone(self.seed, observations, actions, steps=options.cloning_steps)

    @cached_property
    def success(self) -> float:
        return success(self.policy, self._options.tables, self._options.world)


def refine(name: str, base: Base, options: argparse.Namespace) -> dict[str, Any]:
    """Refine a copy of a policy; return success before and after, and the course of it."""
    seed, before, policy = base.seed, base.success, deepcopy(base.policy)
    began = time.monotonic()
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
        'after': success(policy, options.tables, options.world),
        'seconds': round(time.monotonic() - began, 1),
        'course': course,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        check_weight(options.success_weight)
    except ValueError as error:
        parser.error(str(error))
    seen = models_of(options.world)
    telling = [name for name in seen if name != 'topreward' or not options.success_weight]
    options.rewards = options.rewards or [*telling, 'true', 'noise']
    if options.success_weight and 'topreward' in options.rewards:
        parser.error('topreward gives no probability of success: leave out --success-weight')
    if others := [name for name in options.rewards if name in MODELS and name not in seen]:
        parser.error(blind(options.world, others[0]))
    torch.set_num_threads(1)  # the models are small
    begin(options.folder, options)
    with closed_at_the_end(options.world):
        for seed in options.seeds:
            base = Base(seed, options)
            for name in options.rewards:
                file = options.folder / f'{name}-{seed}.json'
                once(file, options, partial(refine, name, base, options))
    report(results_of(options.folder, 'reward'))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('folder', type=Path, help='of the results')
    parser.add_argument('--world', choices=WORLDS, default=TABLE)
    parser.add_argument('--rewards', nargs='+', choices=REWARDS, help='by default all but node')
    parser.add_argument('--seeds', nargs='+', type=seed_of, default=[0, 1, 2, 3, 4])
    parser.add_argument('--iterations', type=whole, default=30)
    parser.add_argument('--episodes', type=whole, default=24, help='of an iteration')
    parser.add_argument(
        '--success-weight',
        type=float,
        default=0.0,
        help='of the gain in the probability of success (for true: in success itself), which is '
        'added to the gain in progress',
    )
    parser.add_argument('--tables', type=whole, default=TABLES, help='on which success is judged')
    parser.add_argument('--demonstrations', type=whole, default=400)
    parser.add_argument('--cloning-steps', type=whole, default=CLONING_STEPS)
    parser.add_argument('--node', default='/topreward', help='whose rewards those of node are')
    parser.add_argument('--image-topic', default='/image', help='at which this node looks')
    return parser


if __name__ == '__main__':
    main()
