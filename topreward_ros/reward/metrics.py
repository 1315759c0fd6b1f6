# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How good progress and success are, in figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

LAST = 3  # scores in the paper's judgement of success


def value_order_correlation(values: np.ndarray) -> float:
    """VOC: Spearman's correlation of values (n,) and their order in time (arXiv 2602.19313).

    Ties share their mean rank. NaN for a curve that is flat, which has no order.
    """
    return correlation(_ranks(np.asarray(values)), np.arange(len(values)))


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's correlation; NaN where one of them is flat or there are fewer than two values."""
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0 or np.isnan(a).any() or np.isnan(b).any():
        return float('nan')
    return float(np.corrcoef(a, b)[0, 1])


def roc_auc(successes: Sequence[float], failures: Sequence[float]) -> float:
    """The share of pairs in which the success scores higher, ties counting half; NaN without any
    pair. 0.5 is chance."""
    a, b = np.array(successes)[:, None], np.array(failures)[None]
    return float(np.mean((a > b) + 0.5 * (a == b))) if a.size and b.size else float('nan')


def last_mean(log_probs: np.ndarray) -> float:
    """The paper's score of an attempt: the mean of its last three (arXiv 2602.19313)."""
    return float(np.mean(log_probs[-LAST:]))


def held_mean(log_probs: np.ndarray, window: int = 3, hold: int = 2) -> float:
    """The live score of an attempt: the highest threshold at which `SuccessDetector` would fire.

    The best, over time, of the least of `hold` means in a row, each over `window` scores; -inf for
    an attempt too short to be judged.
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
    """The percentile interval of a statistic of samples, each drawn anew with replacement.

    NaN for both ends where a sample has fewer than two values, of which nothing can be told, or a
    draw never gave a number.
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
