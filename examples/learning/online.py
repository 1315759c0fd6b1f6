# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Refine cloned policies by rewards, paired by seed, and report the true success before and after.

    python -m examples.learning.online FOLDER --rewards robometer true noise --seeds 0 1 2 3 4

Each run leaves a file in FOLDER and is not repeated; two processes can share the folder.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from rich.console import Console
from rich.progress import track

from topreward_ros.demo.model import folder_for, settings_for
from topreward_ros.files import read_json, write_json
from topreward_ros.learning import ScorerReward
from topreward_ros.reward.live import RewardOptions
from topreward_ros.scoring import LoadOptions, Sampling, load_scorer

from .policy import Policy, clone
from .ppo import Batch, Learner
from .report import report
from .table_world import SECONDS, STEPS, TableWorld

REWARDS = ('topreward', 'robometer', 'large_reward_model', 'true', 'noise')
NOISE = 0.08  # standard deviation of a reward without meaning, about that of a model's
TABLES = 150  # on which success is judged by the truth, the same for all


class Noise(gymnasium.RewardWrapper[Any, Any]):
    """Rewards without meaning."""

    def __init__(self, env: gymnasium.Env[Any, Any], seed: int) -> None:
        super().__init__(env)
        self._random = np.random.default_rng(seed)

    def reward(self, reward: Any) -> float:
        return float(self._random.normal(0, NOISE))


def rewarded(name: str, seed: int) -> gymnasium.Env[Any, Any]:
    """Return the world with the rewards of this name."""
    world = TableWorld()
    if name == 'true':
        return world
    if name == 'noise':
        return Noise(world, seed)
    options = LoadOptions(str(folder_for(name)), 'cpu', reward_model=name)
    return ScorerReward(
        world,
        load_scorer(options),
        lambda _: world.task.say(),
        seconds=SECONDS,
        reward=RewardOptions(**settings_for(name)),
        sampling=Sampling(fps=1 / SECONDS),
    )


def success(policy: Policy, tables: int = TABLES) -> float:
    """Return the share of tables on which the policy succeeds, by the truth."""
    world, done = TableWorld(), []
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for table in range(tables):
            *_, told = _episode(world, policy, seed=table)
            done.append(told['is_done'])
    return float(np.mean(done))


def _episode(
    env: gymnasium.Env[Any, Any], policy: Policy, seed: int | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
    """Return observations, actions and rewards of an episode, and what was told at its end."""
    observation, told = env.reset(seed=seed)
    observations, actions, rewards = [], [], []
    for _ in range(STEPS):
        observations.append(observation)
        actions.append(policy.act(observation))
        observation, reward, _, _, told = env.step(actions[-1])
        rewards.append(float(reward))
    return np.array(observations), np.array(actions), np.array(rewards), told


def refine(name: str, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """Clone a policy, refine it; return success before and after, and the course of it."""
    began = time.monotonic()
    policy = clone(seed, options.demonstrations, options.cloning_steps)
    before = success(policy, options.tables)
    learner, env = Learner(policy), rewarded(name, seed)
    course = []
    torch.manual_seed(seed)
    seeds = np.random.default_rng([seed, 1])  # of the tables, the same for all rewards
    steps = range(options.iterations)
    for _ in track(steps, f'{name}, seed {seed}', console=Console(stderr=True)):
        episodes = [
            _episode(env, policy, int(seeds.integers(2**31))) for _ in range(options.episodes)
        ]
        observations, actions, rewards = (
            np.stack([episode[k] for episode in episodes]) for k in range(3)
        )
        learner.learn(Batch(observations, actions, rewards))
        told = [episode[3] for episode in episodes]
        course.append(
            {
                'reward': float(rewards.sum(1).mean()),
                'true_progress': float(np.mean([each['true_progress'] for each in told])),
                'success': float(np.mean([each['is_done'] for each in told])),
            }
        )
    env.close()
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
            if file.exists():
                continue
            write_json(file, refine(name, seed, options))
    results = [read_json(file) for file in sorted(options.folder.glob('*-*.json'))]
    report(results)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('folder', type=Path, help='of the results')
    parser.add_argument('--rewards', nargs='+', choices=REWARDS, default=list(REWARDS))
    parser.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument('--iterations', type=int, default=30)
    parser.add_argument('--episodes', type=int, default=24, help='of an iteration')
    parser.add_argument('--tables', type=int, default=TABLES, help='on which success is judged')
    parser.add_argument('--demonstrations', type=int, default=400)
    parser.add_argument('--cloning-steps', type=int, default=4000)
    return parser


if __name__ == '__main__':
    main()
