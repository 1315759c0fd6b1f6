# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Rewards, values and weights against values computed by hand from their formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest

from topreward_ros.reward.values import (
    between,
    dense_rewards,
    differences,
    discounted_values,
    shaped_rewards,
)
from topreward_ros.reward.weights import advantage_weights, gained, rabc_weights

PROGRESS = np.array([0.0, 0.25, 0.2, 1.0])


def test_dense_rewards_of_the_paper() -> None:
    # 2 exp(0.25) = 2.568 and 2 exp(0.8) = 4.451 are above 2; 2 exp(-0.05) = 1.90246
    assert dense_rewards(PROGRESS) == pytest.approx([2.0, 1.902458849, 2.0])
    assert dense_rewards(PROGRESS, tau=0.5, delta_max=1.0) == pytest.approx(
        [0.642012708, 0.475614712, 1.0]
    )
    with pytest.raises(ValueError, match='tau'):
        dense_rewards(PROGRESS, tau=0)


def test_differences_shaping_and_values() -> None:
    assert differences(PROGRESS) == pytest.approx([0.25, -0.05, 0.8])
    assert shaped_rewards(PROGRESS, 0.9) == pytest.approx([0.225, -0.07, 0.7])
    assert shaped_rewards(PROGRESS, 1.0) == pytest.approx(differences(PROGRESS))
    assert discounted_values(np.array([1.0, 0.0, 2.0]), 0.5) == pytest.approx([1.5, 1.0, 2.0])
    with pytest.raises(ValueError, match='gamma'):
        discounted_values(PROGRESS, 1.5)


def test_shaping_of_an_episode_telescopes() -> None:
    """The discounted sum of shaped rewards is the discounted last potential minus the first."""
    shaped = shaped_rewards(PROGRESS, 0.9)
    assert discounted_values(shaped, 0.9)[0] == pytest.approx(0.9**3 * 1.0 - 0.0)


def test_interpolation_between_anchors() -> None:
    values = between(np.array([1, 3]), np.array([0.2, 0.6]), 6)
    assert values == pytest.approx([0.2, 0.2, 0.4, 0.6, 0.6, 0.6])
    assert np.isnan(between(np.array([0, 3]), np.full(2, math.nan), 4)).all()


def test_gained_ends_with_the_episode() -> None:
    assert gained(PROGRESS, 2) == pytest.approx([0.2, 0.75, 0.8, 0.0])
    assert advantage_weights(PROGRESS, 1) == pytest.approx([2.0, 1.902458849, 2.0, 2.0])
    with pytest.raises(ValueError, match='chunk'):
        gained(PROGRESS, 0)


def test_rabc_weights() -> None:
    """mu and sigma over both episodes: steps 0.5, 0, -0.1, 0 and 0.005, 0."""
    first, second = np.array([0.0, 0.5, 0.5, 0.4]), np.array([0.1, 0.105])
    steps = np.array([0.5, 0.0, -0.1, 0.0, 0.005, 0.0])
    mean, deviation = steps.mean(), steps.std()
    still = (0.0 - (mean - 2 * deviation)) / (4 * deviation + 1e-6)
    slow = (0.005 - (mean - 2 * deviation)) / (4 * deviation + 1e-6)
    one, two = rabc_weights([first, second], chunk=1)
    assert one == pytest.approx([1.0, still, 0.0, still])
    assert two == pytest.approx([slow, still])
    assert still == pytest.approx(0.4143, abs=1e-4)


def test_rabc_weights_of_unknown_progress() -> None:
    flat, falling = rabc_weights([np.full(3, math.nan), np.array([0.5, 0.2, 0.1])], 1, fallback=0.7)
    assert flat.tolist() == [0.7] * 3
    # The mean loss of progress counts as 0, so standing still at the end is half-way.
    assert falling == pytest.approx([0.0, 0.0, 0.5], abs=1e-5)
    assert rabc_weights([], 1) == []
