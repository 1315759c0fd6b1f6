# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The check of promises can fail: it counts draws, and tells a promise from a quantile."""

from __future__ import annotations

import numpy as np

from tools.check_guarantee import NEW, OTHER_TASK, draws, false_alarms, row
from topreward_ros.demo.tasks import KINDS
from topreward_ros.reward.fit_scale import Attempt


def test_rates_are_counted_strictly_and_within_their_sampling_error() -> None:
    # The standard error of 0.2 over 400 episodes is 0.02
    result = row('x', 0.2, [0.1, 0.2, 0.23, 0.24])
    assert (result.strictly, result.within) == (2, 3)
    assert result.text() == '| x | 2 | 3 | 0.193 |'


def test_new_episodes_are_none_of_the_calibration() -> None:
    drawn = list(draws(500, 20, 3))
    for chosen, new in drawn:
        assert len(chosen) == 20 and len(new) == NEW and not set(chosen) & set(new)
    assert len({tuple(chosen) for chosen, _ in drawn}) == 3


def test_promises_are_kept_and_quantiles_are_not() -> None:
    random = np.random.default_rng(0)

    def attempt(kind: str) -> Attempt:
        log_probs = random.normal(-5, 2) + random.normal(0, 0.1, 12)
        return Attempt(log_probs, np.arange(12.0), np.arange(1, 13), np.zeros(1), kind == 'success')

    pool = {kind: [attempt(kind) for _ in range(180)] for kind in (*KINDS, OTHER_TASK)}
    rows = false_alarms(pool, 180, 40)
    promised, quantiles = rows[::2], rows[1::2]
    assert all(each.within >= 0.95 * 40 for each in promised)
    assert all(each.strictly < 0.8 * 40 for each in quantiles)
