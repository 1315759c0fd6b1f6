# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Fits the scale of a model's log-probabilities to a few attempts at a task.

Progress of a demonstration is assumed to be linear in time, from 0 at its first frame to 1 at its
last; the log-probabilities along it are the scale for live ones. log P of a static picture as a
function of the number of frames is the length bias.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .calibration import TRUE, LengthBias, Scale
from .metrics import held_mean, roc_auc
from .progress import FLAT
from .success import HOLD, WINDOW

LEVEL_COUNT = 11
EARLY = 0.8  # share of a demonstration in which a detection counts as a false alarm
# Levels closer than this share of the range are merged: the demonstrations stood still there, and
# noise would count as progress.
MIN_STEP = 0.02
# Margin between a threshold and the value that a demonstration reaches, for rounding differences
# between live and offline scores and between sums in another order [nat].
ROUNDING = 1e-3


@dataclass(frozen=True)
class Attempt:
    """A recording to calibrate on.

    log_probs (n,): log P of prefixes [nat]; times (n,): of their last frames [s]; frames (n,):
    their lengths; static (m,): log P of 1, 2, ... copies of the first frame [nat]. The two of
    " False" are the same of the other answer; None for a model that does not give it.
    """

    log_probs: np.ndarray
    times: np.ndarray
    frames: np.ndarray
    static: np.ndarray
    is_success: bool = True
    log_probs_false: np.ndarray | None = None
    static_false: np.ndarray | None = None

    def of(self, value: str) -> Attempt:
        """Return the attempt with one of `calibration.VALUES` in the place of log P.

        Raises ValueError where the model does not give it.
        """
        if value == TRUE:
            return self
        if self.log_probs_false is None or self.static_false is None:
            raise ValueError('the model gives no log P("False"), so there is no difference')
        return replace(
            self,
            log_probs=self.log_probs - self.log_probs_false,
            static=self.static - self.static_false,
            log_probs_false=None,
            static_false=None,
        )

    def corrected(self, bias: LengthBias) -> np.ndarray:
        """Return log P without the bias, (n,)."""
        pairs = zip(self.log_probs, self.frames, strict=True)
        return np.array([bias.corrected(float(p), int(n)) for p, n in pairs])

    @property
    def shares(self) -> np.ndarray:
        """Times as shares of the duration, (n,) from 0 to 1."""
        elapsed = self.times - self.times[0]
        return np.asarray(elapsed / max(float(elapsed[-1]), 1e-9))


def length_bias(attempts: Sequence[Attempt]) -> LengthBias:
    """Return the mean static curve of the attempts, each relative to its first value.

    Shorter curves are extended with their last value to the length of the longest.
    """
    longest = max(len(attempt.static) for attempt in attempts)
    curves = [
        np.pad(attempt.static - attempt.static[0], (0, longest - len(attempt.static)), mode='edge')
        for attempt in attempts
    ]
    return LengthBias(tuple(float(value) for value in np.mean(curves, axis=0)))


def make_scale(
    attempts: Sequence[Attempt], bias: LengthBias, window: int = WINDOW, hold: int = HOLD
) -> Scale:
    """Fit the scale of attempts at one task; window and hold are those of `SuccessDetector`.

    Raises ValueError where none succeeded, a success is too short to be judged, or log P does not
    rise over the successes.
    """
    successes = [attempt for attempt in attempts if attempt.is_success]
    if not successes:
        raise ValueError('no attempt succeeded: a scale needs demonstrations of the task done')
    curves = [attempt.corrected(bias) for attempt in successes]
    if min(map(len, curves)) < window + hold - 1:
        raise ValueError(
            f'a demonstration has {min(map(len, curves))} scores; success needs '
            f'{window + hold - 1}: raise fps'
        )
    reached = np.array([held_mean(curve, window, hold) for curve in curves])
    failed = np.array(
        [held_mean(each.corrected(bias), window, hold) for each in attempts if not each.is_success]
    )
    early = np.array(
        [
            held_mean(curve[attempt.shares < EARLY], window, hold)
            for attempt, curve in zip(successes, curves, strict=True)
        ]
    )
    threshold = separating_threshold(reached, failed) if failed.size else _above(early, reached)
    if failed.size:
        false_alarm = float(np.mean(failed >= threshold))
    else:
        # Of n + 1 exchangeable demonstrations, the new one is the highest with odds of 1 in n + 1.
        false_alarm = 1 / (len(early) + 1) if np.isfinite(early).all() else math.nan
    points, levels = _levels(successes, curves)
    return Scale(
        points=points,
        levels=levels,
        threshold=threshold,
        roc_auc=roc_auc(list(reached), list(failed)),
        false_alarm=false_alarm,
        detected=float(np.mean(reached >= threshold)),
    )


def _levels(
    attempts: Sequence[Attempt], curves: Sequence[np.ndarray]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return points of progress, and the median log P there, made monotonic."""
    points = np.linspace(0, 1, LEVEL_COUNT)
    interpolated = [
        np.interp(points, attempt.shares, curve)
        for attempt, curve in zip(attempts, curves, strict=True)
    ]
    blocks = _monotonic(np.median(interpolated, axis=0))
    low, high = blocks[0].level, blocks[-1].level
    if not high - low >= FLAT:
        raise ValueError(
            f'log P goes from {low:.3f} to {high:.3f} nat over the demonstrations and does not '
            'rise: the model does not see the task being done; check the task text'
        )
    knots = _merge_close(blocks, MIN_STEP * (high - low))
    # A level held at the beginning is no progress, and one held at the end is completion.
    middles = [float(points[block.start : block.stop].mean()) for block in knots]
    middles[0], middles[-1] = 0.0, 1.0
    return tuple(middles), tuple(block.level for block in knots)


@dataclass(frozen=True)
class _LevelRun:
    """Points [start, stop) that share a level."""

    start: int
    stop: int
    level: float

    def join(self, other: _LevelRun) -> _LevelRun:
        """Return the run of both, at their mean level."""
        own, others = self.stop - self.start, other.stop - other.start
        level = (self.level * own + other.level * others) / (own + others)
        return _LevelRun(self.start, other.stop, level)


def _monotonic(values: np.ndarray) -> list[_LevelRun]:
    """Fit rising levels in least squares, by pooling adjacent violators."""
    blocks: list[_LevelRun] = []
    for k, value in enumerate(values):
        block = _LevelRun(k, k + 1, float(value))
        while blocks and blocks[-1].level >= block.level:
            block = blocks.pop().join(block)
        blocks.append(block)
    return blocks


def _merge_close(blocks: Sequence[_LevelRun], step: float) -> list[_LevelRun]:
    """Merge levels that are less than a step apart; at least two remain."""
    knots = [blocks[0]]
    for block in blocks[1:]:
        if block.level - knots[-1].level < step:
            knots[-1] = knots[-1].join(block)
        else:
            knots.append(block)
    return knots if len(knots) > 1 else [blocks[0], blocks[-1]]


def separating_threshold(reached: np.ndarray, failed: np.ndarray) -> float:
    """Return the threshold with the largest share detected minus share of false alarms.

    It is in the middle of the widest gap with that value; above all values where it is not above 0.
    """
    values = np.unique(np.concatenate([reached, failed[np.isfinite(failed)]]))
    edges = np.concatenate([[values[0] - 1], values, [values[-1] + 1]])
    best, widest, threshold = 0.0, 0.0, float(values[-1] + 0.5)
    for low, high in itertools.pairwise(edges):
        middle = float(low + high) / 2
        share = float(np.mean(reached >= middle) - np.mean(failed >= middle))
        if share > best + 1e-12 or (share > best - 1e-12 and best > 0 and high - low > widest):
            best, widest, threshold = share, float(high - low), middle
    return threshold


def _above(early: np.ndarray, reached: np.ndarray) -> float:
    """Return a threshold above everything that demonstrations reach early.

    It is half-way to what all of them reach in the end, if that is higher.
    """
    highest, least = float(early.max()), float(reached.min())
    if not math.isfinite(highest):
        return least - ROUNDING
    return (highest + least) / 2 if least > highest else highest + ROUNDING
