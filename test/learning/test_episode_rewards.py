# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The rewards of an episode at once are those that come step by step."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

pytest.importorskip('gymnasium', reason='the extra "learning" is not installed')

from topreward_ros.demo.drawing import film
from topreward_ros.demo.model import SIDE, folder_for, settings_for
from topreward_ros.demo.scene import SceneEpisode
from topreward_ros.learning import ScorerReward, episode_rewards
from topreward_ros.learning.reward_wrapper import potential
from topreward_ros.reward.live import RewardOptions
from topreward_ros.scoring import LoadOptions, Sampling, load_scorer

from ..toy_scorer import ToyScorer
from .doubtful_scorer import DoubtfulScorer
from .environments import Film

SCORER = ToyScorer(LoadOptions('toy'))
TASK = 'Light the lamp.'
TOLERANCE = 1e-4


def step_by_step(pictures: list[np.ndarray], scorer: Any, task: str, **options: Any) -> list[float]:
    env = ScorerReward(Film(pictures), scorer, task, **options)
    env.reset()
    rewards = [float(env.step(0)[1]) for _ in pictures[1:]]
    env.close()
    return rewards


def lights(*levels: float) -> list[np.ndarray]:
    return [np.full((8, 8, 3), round(255 * level), np.uint8) for level in levels]


@pytest.mark.parametrize('name', ['topreward', 'robometer', 'large_reward_model'])
@pytest.mark.parametrize('fps', [2.0, 4.0])
def test_the_same_numbers_by_each_reward_model(name: str, fps: float) -> None:
    scorer = load_scorer(LoadOptions(str(folder_for(name)), 'cpu', reward_model=name))
    episode = SceneEpisode(3, 'success')
    pictures = list(film(episode, 4.0, SIDE, SIDE))
    options: dict[str, Any] = {
        'seconds': 0.25,
        'reward': RewardOptions(**settings_for(name)),
        'sampling': Sampling(fps=fps),
    }
    task = episode.task.say()
    rewards = episode_rewards(scorer, task, pictures, **options)
    assert rewards == pytest.approx(step_by_step(pictures, scorer, task, **options), abs=TOLERANCE)
    assert rewards.shape == (len(pictures) - 1,) and rewards.sum() > 0.5
    if fps == 2.0:
        assert not rewards[::2].any(), 'every second picture is not due'


@pytest.mark.parametrize('name', ['robometer', 'large_reward_model'])
def test_the_probability_of_success_counts_as_it_is_weighted(name: str) -> None:
    """Step by step and at once; what it adds is the gain of the probability that is told."""
    scorer = load_scorer(LoadOptions(str(folder_for(name)), 'cpu', reward_model=name))
    episode = SceneEpisode(3, 'success')
    pictures, task = list(film(episode, 2.0, SIDE, SIDE)), episode.task.say()
    options: dict[str, Any] = {'reward': RewardOptions(**settings_for(name))}
    plain, weighted = (
        episode_rewards(scorer, task, pictures, **options, success_weight=weight)
        for weight in (0.0, 0.5)
    )
    again = step_by_step(pictures, scorer, task, **options, success_weight=0.5)
    assert weighted == pytest.approx(again, abs=TOLERANCE)
    clip = ((picture, k / 2) for k, picture in enumerate(pictures))
    told = [score.success for (score,) in scorer.curve(clip, [task])]
    assert weighted - plain == pytest.approx(0.5 * np.diff(told), abs=TOLERANCE)
    assert told[-1] - told[0] > 0.5


def test_a_weight_where_no_probability_is_given() -> None:
    scorer = load_scorer(LoadOptions(str(folder_for('topreward')), 'cpu'))
    pictures = [np.zeros((SIDE, SIDE, 3), np.uint8)] * 2
    with pytest.raises(ValueError, match='gives no probability of success'):
        episode_rewards(scorer, TASK, pictures, success_weight=1.0)
    with pytest.raises(ValueError, match='gives no probability of success'):
        step_by_step(pictures, scorer, TASK, success_weight=1.0)


def test_a_potential_that_is_unknown() -> None:
    """As before there is any progress; a probability without it is none either."""
    for probability in (math.nan, 0.5):
        assert math.isnan(potential(math.nan, probability, 1.0))
    assert potential(0.25, math.nan, 0.0) == 0.25 and potential(0.25, 0.5, 2.0) == 1.25


@pytest.mark.parametrize('weight', [-1.0, math.nan, math.inf])
def test_weights_that_are_none(weight: float) -> None:
    with pytest.raises(ValueError, match='success_weight is'):
        episode_rewards(SCORER, TASK, lights(0, 1), success_weight=weight)
    with pytest.raises(ValueError, match='success_weight is'):
        ScorerReward(Film(lights(0, 1)), SCORER, TASK, success_weight=weight)


@pytest.mark.parametrize('seconds', [0.5, 0.3, 0.1, 20.0])
def test_pictures_that_are_not_due(seconds: float) -> None:
    pictures = lights(0, 0.2, 0.1, 0.5, 0.6, 0.9, 1)
    rewards = episode_rewards(SCORER, TASK, pictures, seconds=seconds)
    assert rewards == pytest.approx(step_by_step(pictures, SCORER, TASK, seconds=seconds))


def test_progress_that_is_unknown() -> None:
    pictures, options = lights(0, 0, 0.4, 0.2, 0.8), RewardOptions(normalization='running')
    scorer = DoubtfulScorer(LoadOptions('toy'))
    for weight in (1.0, 0.0):
        more: dict[str, Any] = {'reward': options, 'success_weight': weight}
        rewards = episode_rewards(scorer, TASK, pictures, **more)
        assert rewards == pytest.approx(step_by_step(pictures, scorer, TASK, **more))
    assert rewards[:2].tolist() == [0, 0] and rewards[2] != 0


def test_one_picture_has_no_step_and_none_is_an_error() -> None:
    assert episode_rewards(SCORER, TASK, lights(0.5)).shape == (0,)
    with pytest.raises(ValueError, match='without pictures'):
        episode_rewards(SCORER, TASK, [])


def test_an_episode_of_which_frames_would_be_dropped() -> None:
    four = Sampling(max_frames=4)
    assert episode_rewards(SCORER, TASK, lights(0, 0, 0, 1), sampling=four)[-1] > 0.9
    with pytest.raises(ValueError, match=r'max_frames, 4, of the 5 pictures.*ScorerReward'):
        episode_rewards(SCORER, TASK, lights(0, 0, 0, 0, 1), sampling=four)


@pytest.mark.parametrize('seconds', [0.0, math.nan])
def test_times_that_are_none(seconds: float) -> None:
    with pytest.raises(ValueError, match='time between two steps'):
        episode_rewards(SCORER, TASK, lights(0, 1), seconds=seconds)
