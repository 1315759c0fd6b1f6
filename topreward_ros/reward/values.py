# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Rewards and values of a recorded episode, from its progress.

progress is float (n,), of the frames or prefixes of one episode in time order. A reward belongs to
the step between two of them, so there are n - 1. NaN, where progress is unknown, stays NaN.
"""

from __future__ import annotations

import math

import numpy as np


def between(scored: np.ndarray, values: np.ndarray, count: int) -> np.ndarray:
    """Interpolate values (m,) at the rising indices `scored` (m,) to all `count` indices.

    Linear in between, as in LeRobot; constant before the first and after the last.
    """
    return np.interp(np.arange(count), scored, values)


def differences(progress: np.ndarray) -> np.ndarray:
    """Return the progress gained in each step, (n - 1,)."""
    return np.diff(np.asarray(progress, dtype=np.float64))


def dense_rewards(progress: np.ndarray, tau: float = 2.0, delta_max: float = 2.0) -> np.ndarray:
    """Return clip(tau exp(s_k - s_(k-1)), 0, delta_max), (n - 1,) (arXiv 2602.19313).

    With the paper's defaults, tau = delta_max = 2, a step forward is worth 2 and a step back less.
    """
    return advantages(differences(progress), tau, delta_max)


def advantages(gained: np.ndarray, tau: float = 2.0, delta_max: float = 2.0) -> np.ndarray:
    """Return clip(tau exp(gained), 0, delta_max) for progress gained, of any shape."""
    if tau <= 0 or delta_max <= 0:
        raise ValueError(f'tau is {tau} and delta_max is {delta_max}; expected more than 0')
    return np.clip(tau * np.exp(gained), 0, delta_max)


def shaped_rewards(progress: np.ndarray, gamma: float = 0.99) -> np.ndarray:
    """Return gamma phi(s') - phi(s) with progress as the potential phi, (n - 1,).

    Potential-based shaping does not change the optimal policy (Ng, Harada and Russell 1999).
    """
    _check_discount(gamma)
    progress = np.asarray(progress, dtype=np.float64)
    return gamma * progress[1:] - progress[:-1]


def discounted_values(rewards: np.ndarray, gamma: float = 0.99) -> np.ndarray:
    """Return V_k, the sum over j of gamma^j r_(k+j) to the end of the episode, (n - 1,)."""
    _check_discount(gamma)
    values = np.array(rewards, dtype=np.float64)
    for k in range(len(values) - 2, -1, -1):
        values[k] += gamma * values[k + 1]
    return values


def _check_discount(gamma: float) -> None:
    if not 0 <= gamma <= 1:
        raise ValueError(f'gamma is {gamma}; expected 0 to 1')


def none_if_nan(value: float) -> float | None:
    """Return a number that is stored as NaN where it is unknown as None there."""
    return None if math.isnan(value) else value
