# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Normalizations of log-probabilities to progress in [0, 1].

Live normalizations use the past only. Per-episode min-max needs the future, so it takes a whole
curve and is never used for a stream.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

# A smaller range is noise, whose ends would mark a still scene as started and finished [nat].
FLAT = 1e-3


class Normalization(Protocol):
    """Converts the log-probabilities of one episode to progress, one after the other."""

    name: str

    def start(self) -> None:
        """Start an episode."""
        ...

    def progress(self, log_prob: float) -> float:
        """Return progress in [0, 1] for log_prob [nat], or NaN while it is unknown."""
        ...


@dataclass
class RangeNormalization:
    """Fixed range: 0 at `low` and below, 1 at `high` and above [nat].

    -25 and -5 are the range of Large Reward Models (arXiv 2603.16065) for Qwen3-VL-8B.
    """

    low: float
    high: float
    name = 'fixed'

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ValueError(
                f'the range {self.low} to {self.high} nat is invalid: low must be below high'
            )

    def start(self) -> None:
        pass

    def progress(self, log_prob: float) -> float:
        if math.isnan(log_prob):
            return math.nan
        return min(max((log_prob - self.low) / (self.high - self.low), 0.0), 1.0)


class CalibratedNormalization:
    """Scale of a calibration: progress is `points`, from 0 to 1, where log P is `levels` [nat].

    Both rise (see `calibration.Scale`); values in between are interpolated linearly.
    """

    name = 'calibrated'

    def __init__(self, points: Sequence[float], levels: Sequence[float]) -> None:
        self._points = np.asarray(points, dtype=np.float64)
        self._levels = np.asarray(levels, dtype=np.float64)
        if self._levels.size < 2 or not (np.diff(self._levels) > 0).all():
            raise ValueError(f'levels are {levels}; expected two or more, rising')

    def start(self) -> None:
        pass

    def progress(self, log_prob: float) -> float:
        return float(np.interp(log_prob, self._levels, self._points))


class RunningNormalization:
    """Range of the episode so far; NaN until it is wider than FLAT.

    The best score so far is 1 by construction, so it shows a relapse, not the distance to the goal.
    """

    name = 'running'

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        self._low, self._high = math.inf, -math.inf

    def progress(self, log_prob: float) -> float:
        if math.isnan(log_prob):
            return math.nan
        self._low, self._high = min(self._low, log_prob), max(self._high, log_prob)
        if self._high - self._low < FLAT:
            return math.nan
        return (log_prob - self._low) / (self._high - self._low)


class ProbabilityNormalization:
    """P(" True") itself, for models trained on the question."""

    name = 'probability'

    def start(self) -> None:
        pass

    def progress(self, log_prob: float) -> float:
        return math.exp(min(log_prob, 0.0))


PointsAndLevels = tuple[Sequence[float], Sequence[float]]
# Factories by name; arguments are the fixed range [nat] and the calibrated points and levels
NORMALIZATIONS: dict[str, Callable[[float, float, PointsAndLevels], Normalization]] = {
    'fixed': lambda low, high, _: RangeNormalization(low, high),
    'running': lambda *_: RunningNormalization(),
    'probability': lambda *_: ProbabilityNormalization(),
    'calibrated': lambda _low, _high, scale: CalibratedNormalization(*scale),
}


def make_normalization(
    name: str, low: float, high: float, scale: PointsAndLevels = ((), ())
) -> Normalization:
    """Return one of NORMALIZATIONS by name; ValueError for another name.

    low and high [nat] are the fixed range, scale the points and levels of the calibrated one.
    """
    if name not in NORMALIZATIONS:
        raise ValueError(f'normalization is {name!r}; expected one of {", ".join(NORMALIZATIONS)}')
    return NORMALIZATIONS[name](low, high, scale)


def min_max(log_probs: np.ndarray) -> np.ndarray:
    """Return progress of a whole episode, (r - min r) / (max r - min r) (arXiv 2602.19313).

    log_probs (n,) [nat]; returns float64 (n,) in [0, 1], all NaN for a flat curve. For files only,
    as every value depends on the whole episode.
    """
    log_probs = np.asarray(log_probs, dtype=np.float64)
    if log_probs.size == 0 or not np.ptp(log_probs) >= FLAT:
        return np.full(log_probs.shape, np.nan)
    return (log_probs - log_probs.min()) / np.ptp(log_probs)
