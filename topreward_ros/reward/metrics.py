# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Metrics of progress and success."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from .success import HOLD, WINDOW, SuccessDetector

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


def kendall_tau(values: np.ndarray, pairs: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Return Kendall's tau between better and worse: (concordant - discordant) / pairs.

    values (n,); pairs (n, n) of `better_pairs`. A pair is concordant if the better one has the
    higher value, and neither if the values are tied. weights (n,): how often each counts, as in a
    bootstrap draw. 1 is perfect, 0 is chance; NaN without a pair.
    """
    values = np.asarray(values, dtype=np.float64)
    counts = np.ones(len(values)) if weights is None else weights
    order = np.sign(values[:, None] - values[None]) * pairs
    total = float(counts @ pairs @ counts)
    return float(counts @ order @ counts) / total if total else float('nan')


def better_pairs(
    qualities: np.ndarray, groups: Sequence[str] = (), least: float = 0.0
) -> np.ndarray:
    """Return (n, n): 1.0 where row i is better than column j of its group by more than `least`.

    qualities (n,); groups: n names, by default all of one group.
    """
    qualities = np.asarray(qualities, dtype=np.float64)
    _, names = np.unique(list(groups) or [''] * len(qualities), return_inverse=True)
    same = names[:, None] == names[None]
    return np.asarray(same & (qualities[:, None] - qualities[None] > least), dtype=np.float64)


def failure_f1(successes: Sequence[bool], failures: Sequence[bool]) -> float:
    """Return the F1 of failure detection, from whether success was detected in each attempt.

    An attempt without a detected success is called a failure: F1 = 2 TP / (2 TP + FP + FN), with
    TP failures called so, FP successes called failures, and FN failures called successes. NaN
    where there is neither a failure nor a call of one.
    """
    right, wrong = len(failures) - sum(failures), len(successes) - sum(successes)
    total = 2 * right + wrong + sum(failures)
    return 2 * right / total if total else float('nan')


def detected_at(
    log_probs: np.ndarray, threshold: float, window: int = WINDOW, hold: int = HOLD
) -> int | None:
    """Return the index of the score at which `SuccessDetector` fires; None if it does not."""
    detector = SuccessDetector(threshold, window, hold)
    fired = (k for k, value in enumerate(log_probs) if detector.update(float(value)))
    return next(fired, None)


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
