# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Scores survive the way into a Progress message and back."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest

from topreward_ros.results.messages import common_fields, progress_fields, score_of
from topreward_ros.reward.live import RewardOptions
from topreward_ros.reward.progress import NORMALIZATIONS
from topreward_ros.scoring.score import Score

LIVE = [name for name in NORMALIZATIONS if name != 'calibrated']


def message_of(
    score: Score, normalization: str, reward_model: str = 'topreward'
) -> SimpleNamespace:
    step = RewardOptions(normalization).start().update(score)
    return SimpleNamespace(
        **common_fields(None, 1, 'lift it', score, reward_model),
        **progress_fields(score, step, math.nan),
    )


@pytest.mark.parametrize('normalization', LIVE)
@pytest.mark.parametrize(
    'score',
    [
        Score(3, log_prob=-4.0),
        Score(3, log_prob=-4.0, log_prob_false=-1.0),
        Score(3, progress=0.5),
        Score(3, progress=0.0),
        Score(3, progress=0.5, success=0.0, parts={'done': 0.25, 'process': 1}),
        Score(3, log_prob=-4.0, success=1.0),
    ],
    ids=['log_prob', 'both', 'progress', 'zero', 'heads', 'all'],
)
def test_there_and_back(score: Score, normalization: str) -> None:
    assert score_of(message_of(score, normalization)) == score


@pytest.mark.parametrize('normalization', [*NORMALIZATIONS, ''])
def test_progress_that_is_not_the_model_s_own_is_no_score(normalization: str) -> None:
    """A message of another publisher may have progress without log P."""
    message = message_of(Score(3, progress=0.5), 'fixed')
    message.normalization = normalization
    assert score_of(message) is None


def test_a_message_says_whose_score_it_is_and_what_is_missing() -> None:
    message = message_of(Score(3, progress=0.5), 'fixed', 'robometer')
    assert message.reward_model == 'robometer'
    assert math.isnan(message.success) and math.isnan(message.log_prob)
    assert (message.part_names, message.parts) == ([], [])
    message = message_of(Score(3, progress=0.5, success=0.25, parts={'a': 1, 'b': 0.5}), 'fixed')
    assert (message.success, message.part_names, message.parts) == (0.25, ['a', 'b'], [1.0, 0.5])
    assert all(type(part) is float for part in message.parts), 'as rclpy needs it'


def test_a_message_of_an_older_version() -> None:
    message = message_of(Score(3, log_prob=-4.0), 'fixed')
    for name in ('reward_model', 'success', 'part_names', 'parts'):
        delattr(message, name)
    assert score_of(message) == Score(3, log_prob=-4.0)


def test_parts_of_another_publisher_that_do_not_fit() -> None:
    message = message_of(Score(3, progress=0.5), 'fixed')
    message.part_names, message.parts = ['a', 'b', 'c'], [math.nan, 0.5]
    assert score_of(message) == Score(3, progress=0.5, parts={'b': 0.5})
