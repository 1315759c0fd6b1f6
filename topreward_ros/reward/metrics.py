# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Metrics of progress and success."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from .success import HOLD, WINDOW

LAST_SCORES = 3  # averaged by the paper to judge success


def value_order_correlation(values: np.ndarray) -> float:
    """Return the VOC: Spearman's correlation of values (n,) and time order (arXiv 2602.19313).

    Ties share their mean rank. NaN for a flat curve, which has no order.
    """
    return correlation(_ranks(np.asarray(values)), np.arange(len(values)))


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Return Pearson's correlation; NaN for fewer than two values, a flat input or a NaN in one."""
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0 or np.isnan(a).any() or np.isnan(b).any():
        return float('nan')
    return float(np.corrcoef(a, b)[0, 1])


def roc_auc(successes: Sequence[float], failures: Sequence[float]) -> float:
    """Return the share of pairs in which the success scores higher, ties counting half.

    0.5 is chance; NaN without any pair.
    """
    a, b = np.array(successes)[:, None], np.array(failures)[None]
    return float(np.mean((a > b) + 0.5 * (a == b))) if a.size and b.size else float('nan')


def last_mean(log_probs: np.ndarray) -> float:
    """Return the paper's score of an attempt, the mean of its last three (arXiv 2602.19313)."""
    return float(np.mean(log_probs[-LAST_SCORES:]))


def held_mean(log_probs: np.ndarray, window: int = WINDOW, hold: int = HOLD) -> float:
    """Return the highest threshold at which `SuccessDetector` would fire in an attempt.

    This is the maximum over time of the minimum of `hold` consecutive means over `window` scores;
    -inf for an attempt too short to be judged.
    """
    if len(log_probs) < window + hold - 1:
        return -np.inf
    means = np.convolve(log_probs, np.ones(window) / window, mode='valid')
    held = np.lib.stride_tricks.sliding_window_view(means, hold).min(axis=1)
    return float(held.max())


def bootstrap(
    statistic: Callable[..., float],
    *samples: Sequence[float],
    level: float = 0.95,
    draws: int = 1000,
    seed: int = 0,
) -> tuple[float, float]:
    """Return the bootstrap percentile interval of a statistic of independently resampled samples.

    Both ends are NaN where a sample has fewer than two values, or no draw gave a number.
    """
    random = np.random.default_rng(seed)
    arrays = [np.asarray(sample, dtype=np.float64) for sample in samples]
    if any(array.size < 2 for array in arrays):
        return float('nan'), float('nan')
    values = np.array(
        [statistic(*(random.choice(array, array.size) for array in arrays)) for _ in range(draws)]
    )
    values = values[~np.isnan(values)]
    if not values.size:
        return float('nan'), float('nan')
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _ranks(values: np.ndarray) -> np.ndarray:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[inverse])
