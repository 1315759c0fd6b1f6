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


def message_of(score: Score, normalization: str) -> SimpleNamespace:
    step = RewardOptions(normalization).start().update(score)
    return SimpleNamespace(
        **common_fields(None, 1, 'lift it', score), **progress_fields(score, step, math.nan)
    )


@pytest.mark.parametrize('normalization', LIVE)
@pytest.mark.parametrize(
    'score',
    [
        Score(3, log_prob=-4.0),
        Score(3, log_prob=-4.0, log_prob_false=-1.0),
        Score(3, progress=0.5),
        Score(3, progress=0.0),
    ],
    ids=['log_prob', 'both', 'progress', 'zero'],
)
def test_there_and_back(score: Score, normalization: str) -> None:
    assert score_of(message_of(score, normalization)) == score


@pytest.mark.parametrize('normalization', [*NORMALIZATIONS, ''])
def test_progress_that_is_not_the_model_s_own_is_no_score(normalization: str) -> None:
    """A message of another publisher may have progress without log P."""
    message = message_of(Score(3, progress=0.5), 'fixed')
    message.normalization = normalization
    assert score_of(message) is None
