# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import numpy as np
import pytest

from topreward_ros.reward.progress import (
    NORMALIZATIONS,
    RangeNormalization,
    make_normalization,
    min_max,
)


def test_fixed_range() -> None:
    fixed = make_normalization('fixed', -25.0, -5.0)
    assert [fixed.progress(r) for r in (-30, -25, -15, -5, -1)] == [0, 0, 0.5, 1, 1]
    assert math.isnan(fixed.progress(math.nan))


def test_running_range_is_unknown_at_each_start() -> None:
    running = make_normalization('running', 0, 0)
    assert math.isnan(running.progress(-10))
    assert math.isnan(running.progress(-10))
    assert running.progress(-8) == 1
    assert running.progress(-9) == 0.5
    assert running.progress(-12) == 0
    running.start()
    assert math.isnan(running.progress(-9))


def test_probability() -> None:
    probability = make_normalization('probability', 0, 0)
    assert probability.progress(math.log(0.25)) == pytest.approx(0.25)
    assert probability.progress(1e-7) == 1  # log P above 0 by rounding


@pytest.mark.parametrize('name', NORMALIZATIONS)
def test_every_normalization_stays_in_range(name: str) -> None:
    normalization = make_normalization(name, -25.0, -5.0, ((0.0, 0.3, 1.0), (-20.0, -9.0, -5.0)))
    assert normalization.name == name
    for log_prob in np.random.default_rng(0).uniform(-40, 0, 200):
        progress = normalization.progress(float(log_prob))
        assert math.isnan(progress) or 0 <= progress <= 1


def test_unknown_and_empty() -> None:
    with pytest.raises(ValueError, match='expected one of'):
        make_normalization('min-max', 0, 1)
    with pytest.raises(ValueError, match='low must be below high'):
        RangeNormalization(-5, -5)


def test_min_max_of_a_whole_episode() -> None:
    assert min_max(np.array([-8.0, -6.0, -7.0, -4.0])).tolist() == [0, 0.5, 0.25, 1]


@pytest.mark.parametrize('flat', [[], [-3.0], [-3.0, -3.0], [-3.0, math.nan]])
def test_a_flat_curve_has_no_progress(flat: list[float]) -> None:
    assert np.isnan(min_max(np.array(flat))).all()
