# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from topreward_ros.reward.metrics import (
    better_pairs,
    bootstrap,
    correlation,
    detected_at,
    failure_f1,
    held_mean,
    kendall_tau,
    last_mean,
    roc_auc,
    value_order_correlation,
)
from topreward_ros.reward.success import SuccessDetector


def test_value_order_correlation() -> None:
    assert value_order_correlation(np.array([-9.0, -5.0, -4.9, -1.0])) == pytest.approx(1)
    assert value_order_correlation(np.array([3.0, 2.0, 1.0])) == pytest.approx(-1)
    # Ranks 1, 2.5, 2.5, 4 against 1, 2, 3, 4
    assert value_order_correlation(np.array([1.0, 2.0, 2.0, 3.0])) == pytest.approx(0.948683298)
    assert math.isnan(value_order_correlation(np.array([2.0, 2.0])))
    assert math.isnan(value_order_correlation(np.array([2.0])))
    assert math.isnan(correlation(np.array([1.0, math.nan]), np.array([1.0, 2.0])))


def test_roc_auc() -> None:
    assert roc_auc([3, 4], [1, 2]) == 1
    assert roc_auc([1, 2], [1, 2]) == 0.5
    assert roc_auc([1], [2]) == 0
    assert math.isnan(roc_auc([1], []))


def test_scores_of_an_attempt() -> None:
    assert last_mean(np.array([-9.0, -3.0, -2.0, -1.0])) == -2
    assert last_mean(np.array([-4.0])) == -4
    assert held_mean(np.array([-1.0, -1.0, -1.0]), 3, 2) == -math.inf


def test_the_held_mean_is_where_the_detector_fires() -> None:
    random = np.random.default_rng(0)
    for _ in range(50):
        log_probs = random.uniform(-10, 0, 12)
        best = held_mean(log_probs, window=3, hold=2)
        for threshold, fires in ((best - 1e-9, True), (best + 1e-9, False)):
            detector = SuccessDetector(threshold, window=3, hold=2)
            assert any([detector.update(float(p)) for p in log_probs]) is fires


def test_bootstrap_covers_the_mean_as_often_as_it_says() -> None:
    random = np.random.default_rng(1)
    covered = 0
    for seed in range(100):
        sample = random.normal(size=40)
        low, high = bootstrap(lambda s: float(np.mean(s)), sample, draws=200, seed=seed)
        covered += low <= 0 <= high
    assert 86 <= covered <= 99
    for few in ([], [1.0]):
        assert all(map(math.isnan, bootstrap(lambda s: float(np.mean(s)), few)))


def test_bootstrap_draws_each_sample_independently() -> None:
    low, high = bootstrap(roc_auc, [3.0, 4.0], [1.0, 2.0])
    assert (low, high) == (1, 1)


def test_kendall_tau_is_over_pairs_of_better_and_worse() -> None:
    pairs = better_pairs(np.array([0.0, 0.5, 1.0]))
    assert kendall_tau(np.array([1.0, 2.0, 3.0]), pairs) == 1
    assert kendall_tau(np.array([3.0, 2.0, 1.0]), pairs) == -1
    assert kendall_tau(np.array([1.0, 3.0, 2.0]), pairs) == pytest.approx(1 / 3)
    assert kendall_tau(np.array([1.0, 1.0, 2.0]), pairs) == pytest.approx(2 / 3)  # a tie
    # Of one quality there is no pair, within a margin neither
    assert math.isnan(kendall_tau(np.array([1.0, 2.0]), better_pairs(np.array([1.0, 1.0]))))
    assert better_pairs(np.array([0.5, 0.54]), least=0.05).sum() == 0
    # Only within a group
    pairs = better_pairs(np.array([0, 1, 0, 1]), ['a', 'a', 'b', 'b'])
    assert pairs.sum() == 2 and kendall_tau(np.array([5.0, 6.0, 1.0, 2.0]), pairs) == 1
    assert kendall_tau(np.array([5.0, 6.0, 2.0, 1.0]), pairs, np.array([3.0, 2, 1, 1])) == 5 / 7


@given(
    good=st.lists(st.integers(0, 9), min_size=1, max_size=9),
    bad=st.lists(st.integers(0, 9), min_size=1, max_size=9),
)
def test_of_two_classes_kendall_tau_is_the_auc_of_pairs(good: list[int], bad: list[int]) -> None:
    pairs = better_pairs(np.array([1] * len(good) + [0] * len(bad)))
    expected = 2 * roc_auc(good, bad) - 1
    assert kendall_tau(np.array([*good, *bad]), pairs) == pytest.approx(expected)


def test_f1_of_failures() -> None:
    """Of three failures one is called a success, of two successes one a failure."""
    precision, recall = 2 / 3, 2 / 3
    expected = 2 * precision * recall / (precision + recall)
    assert failure_f1([True, False], [False, True, False]) == pytest.approx(expected)
    assert failure_f1([True], [False]) == 1
    assert failure_f1([True], [True]) == failure_f1([False], [True]) == 0
    assert math.isnan(failure_f1([True, True], []))


def test_where_success_is_detected() -> None:
    log_probs = np.array([-9.0, -1.0, -1.0, -1.0, -1.0, -9.0])
    assert detected_at(log_probs, -2.0, window=1, hold=2) == 2
    assert detected_at(log_probs, -2.0, window=3, hold=2) == 4
    assert detected_at(log_probs, -0.5, window=1, hold=1) is None
