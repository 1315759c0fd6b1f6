# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The outcome of recorded episodes, and their doubts."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest

from topreward_ros.reward.live import RewardOptions
from topreward_ros.reward.outcome import (
    CLOSE,
    LOST,
    TOO_SHORT,
    Outcome,
    doubts,
    outcome_of,
)


@dataclass(frozen=True)
class Read:
    """A score with a log-probability alone."""

    log_prob: float
    frames: int = 1
    log_prob_false: float | None = None

    @property
    def value(self) -> float:
        return self.log_prob

    @property
    def evidence(self) -> float:
        return self.log_prob


def judged(*log_probs: float) -> Outcome:
    live = RewardOptions(success_threshold=-5.0).start()
    return outcome_of(live, [Read(value) for value in log_probs])


def test_the_margin_is_positive_just_where_success_is_detected() -> None:
    rng = np.random.default_rng(3)
    kinds = set()
    for _ in range(200):
        outcome = judged(*rng.uniform(-9, -3, size=8))
        assert (outcome.margin >= 0) is outcome.is_success
        kinds.add(outcome.is_success)
    assert kinds == {True, False}


def test_an_outcome() -> None:
    outcome = judged(-25, -15, -4, -4, -4, -4, -4)
    assert outcome.detected == 5 and outcome.margin == pytest.approx(1)
    assert outcome.progress == pytest.approx([0, 0.5, 1, 1, 1, 1, 1])
    assert not outcome.is_lost
    lost = judged(-25, -4, -4, -4, -4, -4, -25, -25, -25)
    assert lost.is_success and lost.is_lost


def test_too_few_scores_are_judged_as_such() -> None:
    outcome = judged(-4, -4, -4)
    assert not outcome.is_success and math.isnan(outcome.margin)
    (doubt,) = doubts([outcome], [None])
    assert TOO_SHORT in doubt.reasons


def test_nearness_is_among_the_same_kind() -> None:
    """Above the threshold there are 5 nat of room, below any amount."""
    outcomes = [judged(*[-25] * 3, *[level] * 5) for level in (-4.99, -4, -3, -5.4, -12, -14)]
    found = doubts(outcomes, [None] * 6)
    assert [CLOSE in doubt.reasons for doubt in found] == [True, False, False, True, False, False]
    assert found[0].degree > found[1].degree > found[2].degree
    assert found[1].degree == pytest.approx(0.5)


def test_what_contradicts_comes_before_what_is_near() -> None:
    outcomes = [judged(*[-25] * 3, *[level] * 5) for level in (-4.99, -3, -3, -2)]
    near, other, same, _ = doubts(outcomes, [None, False, True, True])
    assert other.reasons == ('the dataset calls it a failure',)
    assert other.degree > near.degree > same.degree and same.reasons == ()
    (lost,) = doubts([judged(-25, *[-1] * 5, *[-25] * 3)], [None])
    assert lost.reasons == (LOST,)
    (reached,) = doubts([judged(*[-25] * 5, -6, -6, -6, -6)], [None])
    assert reached.reasons == ('called a failure, but progress reached 0.95',)
