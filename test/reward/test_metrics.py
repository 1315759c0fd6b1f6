# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import numpy as np
import pytest

from topreward_ros.reward.metrics import (
    bootstrap,
    correlation,
    held_mean,
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
