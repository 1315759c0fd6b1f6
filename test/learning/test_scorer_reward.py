# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The reward of an environment is the progress that a scorer in the same process sees."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

pytest.importorskip('gymnasium', reason='the extra "learning" is not installed')

from topreward_ros.learning import ScorerReward
from topreward_ros.reward.live import RewardOptions
from topreward_ros.scoring import LoadOptions, Sampling

from ..toy_scorer import ToyEpisode, ToyScorer
from .doubtful_scorer import DoubtfulScorer
from .environments import Lamp

SCORER = ToyScorer(LoadOptions('toy'))
TASK = 'Light the lamp.'


def walk(env: ScorerReward, actions: list[int]) -> tuple[list[float], list[dict[str, Any]]]:
    _, info = env.reset(seed=0)
    rewards, told = [], [info['topreward']]
    for action in actions:
        _, reward, _, _, info = env.step(action)
        rewards.append(float(reward))
        told.append(info['topreward'])
    return rewards, told


def test_rewards_add_up_to_the_progress() -> None:
    env = ScorerReward(Lamp(), SCORER, TASK)
    rewards, told = walk(env, [1, 0, 1, 1, 0])
    assert rewards == pytest.approx([0.1, 0, 0.1, 0.1, 0], abs=0.02)
    assert sum(rewards) == pytest.approx(told[-1]['progress'] - told[0]['progress'])
    assert all(each['is_fresh'] and each['age'] == 0 for each in told)
    assert told[1]['reward'] == -7.0 and told[0]['reward'] is None
    assert told[-1]['probability'] == pytest.approx(told[-1]['progress'] ** 8, abs=1e-6)


def test_a_reset_begins_an_episode_of_its_own_task() -> None:
    started: list[str] = []

    class Listening(ToyScorer):
        def start(self, tasks: Any) -> ToyEpisode:
            started.append(tasks)
            return super().start(tasks)

    lamp = Lamp()
    env = ScorerReward(lamp, Listening(LoadOptions('toy')), lambda env: f'Task {lamp.tasks}.')
    first, _ = walk(env, [1, 1])
    second, told = walk(env, [1, 1])
    assert started == ['Task 1.', 'Task 2.']
    assert first == second and told[0]['progress'] == 0


@pytest.mark.parametrize(('seconds', 'fresh'), [(0.5, 6), (0.25, 3), (0.1, 2)])
def test_only_pictures_that_are_due_are_scored(seconds: float, fresh: int) -> None:
    """Of 0 and five steps, at two frames a second; the next one makes up for the others."""
    env = ScorerReward(Lamp(), SCORER, TASK, seconds=seconds)
    rewards, told = walk(env, [1] * 5)
    assert sum(each['is_fresh'] for each in told) == fresh
    assert sum(rewards) == pytest.approx(told[-1]['progress'] - told[0]['progress'])
    assert [reward == 0 for reward in rewards] == [not each['is_fresh'] for each in told[1:]]
    ages = [each['age'] for each in told]
    expected = [seconds * k % 0.5 for k in range(6)]
    assert ages == pytest.approx(expected)


def test_success_by_the_rule_ends_the_episode_where_it_is_asked_to() -> None:
    options = RewardOptions(success_threshold=math.log(0.9), success_window=1, success_hold=1)
    env = ScorerReward(Lamp(), SCORER, TASK, reward=options, ends_on_success=True)
    env.reset()
    ends = [env.step(1)[2] for _ in range(10)]
    assert ends == [False] * 9 + [True]
    stays = ScorerReward(Lamp(), SCORER, TASK, reward=options)
    stays.reset()
    steps = [stays.step(1) for _ in range(10)]
    assert not any(step[2] for step in steps) and steps[-1][4]['topreward']['success']


def test_long_episodes_are_thinned_as_those_of_a_node() -> None:
    env = ScorerReward(Lamp(100), SCORER, TASK, sampling=Sampling(fps=2.0, max_frames=4))
    rewards, told = walk(env, [1] * 20)
    assert sum(rewards) == pytest.approx(told[-1]['progress'] - told[0]['progress'])
    assert max(each['age'] for each in told) > 1, 'fewer are due once an episode was thinned'


def test_progress_that_is_unknown_brings_nothing() -> None:
    """As with the running range before it has two ends: what comes next is not all gained then."""
    options = RewardOptions(normalization='running')
    env = ScorerReward(Lamp(), DoubtfulScorer(LoadOptions('toy')), TASK, reward=options)
    rewards, told = walk(env, [0, 0, 1, 1, 1])
    assert math.isnan(told[0]['progress']) and math.isnan(told[2]['progress'])
    assert told[3]['progress'] == 1 and rewards == [0] * 5


def test_an_environment_without_a_picture() -> None:
    class Blind(Lamp):
        def render(self) -> Any:
            return None

    with pytest.raises(ValueError, match=r"NoneType; expected a picture.*render_mode='rgb_array'"):
        ScorerReward(Blind(), SCORER, TASK).reset()
    seen = np.full((64, 64, 3), 51, np.uint8)
    env = ScorerReward(Blind(), SCORER, TASK, picture=lambda _: seen)
    assert env.reset()[1]['topreward']['progress'] == pytest.approx(0.2)


@pytest.mark.parametrize('seconds', [0.0, -1.0, math.nan, math.inf])
def test_times_that_are_none(seconds: float) -> None:
    with pytest.raises(ValueError, match='time between two steps'):
        ScorerReward(Lamp(), SCORER, TASK, seconds=seconds)
