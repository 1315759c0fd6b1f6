# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From a few attempts at a task to the scale on which a model's log-probabilities are read.

A demonstration is taken to come forward evenly in time, from 0 at its first frame to 1 at its
last: the log-probabilities met on the way are the scale for live ones. What the model says of a
picture that stands still, by the number of frames, is its length bias.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .calibration import LengthBias, Scale
from .metrics import held_mean, roc_auc
from .progress import FLAT

LEVELS = 11
EARLY = 0.8  # of a demonstration, in which a detection would be a false alarm
# Levels nearer to each other than this share of the range are one: there the demonstrations stood
# still, and noise would be read as progress.
STEP = 0.02
# By which a threshold is kept off what a demonstration reaches: live and of a file a score differs
# by a little, and so does a mean by the order of its sum [nat].
ROUNDING = 1e-3


@dataclass(frozen=True)
class Attempt:
    """A recording to calibrate on: log P of prefixes (n,) [nat], the times [s] of their last
    frames and how many they have (n,), log P of 1, 2, ... times its first frame (m,) [nat], and
    whether it succeeded.
    """

    log_probs: np.ndarray
    times: np.ndarray
    frames: np.ndarray
    static: np.ndarray
    is_success: bool = True

    def corrected(self, bias: LengthBias) -> np.ndarray:
        """log P without the bias, (n,)."""
        pairs = zip(self.log_probs, self.frames, strict=True)
        return np.array([bias.corrected(float(p), int(n)) for p, n in pairs])

    @property
    def shares(self) -> np.ndarray:
        """The times as shares of the whole, (n,) from 0 to 1."""
        passed = self.times - self.times[0]
        return np.asarray(passed / max(float(passed[-1]), 1e-9))


def length_bias(attempts: Sequence[Attempt]) -> LengthBias:
    """The mean static curve of the attempts, each from its own first value on; as long as the
    longest, where those that are shorter hold their last value.
    """
    longest = max(len(attempt.static) for attempt in attempts)
    curves = [
        np.pad(attempt.static - attempt.static[0], (0, longest - len(attempt.static)), mode='edge')
        for attempt in attempts
    ]
    return LengthBias(tuple(float(value) for value in np.mean(curves, axis=0)))


def make_scale(
    attempts: Sequence[Attempt], bias: LengthBias, window: int = 3, hold: int = 2
) -> Scale:
    """The scale of attempts at one task; window and hold are those of `SuccessDetector`.

    Raises ValueError where none succeeded, a success is too short to be judged, or log P does not
    rise over them.
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
    missed = np.array(
        [held_mean(each.corrected(bias), window, hold) for each in attempts if not each.is_success]
    )
    early = np.array(
        [
            held_mean(curve[attempt.shares < EARLY], window, hold)
            for attempt, curve in zip(successes, curves, strict=True)
        ]
    )
    threshold = _between(reached, missed) if missed.size else _above(early, reached)
    if missed.size:
        alarm = float(np.mean(missed >= threshold))
    else:
        # Of n + 1 demonstrations alike, the one not yet seen is the highest once in n + 1 times.
        alarm = 1 / (len(early) + 1) if np.isfinite(early).all() else math.nan
    points, levels = _levels(successes, curves)
    return Scale(
        points=points,
        levels=levels,
        threshold=threshold,
        roc_auc=roc_auc(list(reached), list(missed)),
        false_alarm=alarm,
        detected=float(np.mean(reached >= threshold)),
    )


def _levels(
    attempts: Sequence[Attempt], curves: Sequence[np.ndarray]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Progress, and the median log P there, made to rise."""
    points = np.linspace(0, 1, LEVELS)
    drawn = [
        np.interp(points, attempt.shares, curve)
        for attempt, curve in zip(attempts, curves, strict=True)
    ]
    blocks = _rising(np.median(drawn, axis=0))
    low, high = blocks[0].level, blocks[-1].level
    if not high - low >= FLAT:
        raise ValueError(
            f'log P goes from {low:.3f} to {high:.3f} nat over the demonstrations and does not '
            'rise: the model does not see this task done; is the task text right?'
        )
    knots = _apart(blocks, STEP * (high - low))
    # Where they stood still in the beginning nothing was done yet, and in the end all of it.
    middles = [float(points[block.start : block.stop].mean()) for block in knots]
    middles[0], middles[-1] = 0.0, 1.0
    return tuple(middles), tuple(block.level for block in knots)


@dataclass(frozen=True)
class _Block:
    """Points [start, stop) that share a level."""

    start: int
    stop: int
    level: float

    def joined(self, other: _Block) -> _Block:
        own, others = self.stop - self.start, other.stop - other.start
        level = (self.level * own + other.level * others) / (own + others)
        return _Block(self.start, other.stop, level)


def _rising(values: np.ndarray) -> list[_Block]:
    """The closest levels that never fall, in least squares: pool adjacent violators."""
    blocks: list[_Block] = []
    for k, value in enumerate(values):
        block = _Block(k, k + 1, float(value))
        while blocks and blocks[-1].level >= block.level:
            block = blocks.pop().joined(block)
        blocks.append(block)
    return blocks


def _apart(blocks: Sequence[_Block], step: float) -> list[_Block]:
    """The same with those joined that are less than a step apart; two of them at least."""
    knots = [blocks[0]]
    for block in blocks[1:]:
        if block.level - knots[-1].level < step:
            knots[-1] = knots[-1].joined(block)
        else:
            knots.append(block)
    return knots if len(knots) > 1 else [blocks[0], blocks[-1]]


def _between(reached: np.ndarray, missed: np.ndarray) -> float:
    """The threshold that tells most apart: the share detected less the share of false alarms.

    In the middle of the widest gap that does so; where none tells anything, above all.
    """
    values = np.unique(np.concatenate([reached, missed[np.isfinite(missed)]]))
    edges = np.concatenate([[values[0] - 1], values, [values[-1] + 1]])
    best, widest, threshold = 0.0, 0.0, float(values[-1] + 0.5)
    for low, high in itertools.pairwise(edges):
        middle = float(low + high) / 2
        share = float(np.mean(reached >= middle) - np.mean(missed >= middle))
        if share > best + 1e-12 or (share > best - 1e-12 and best > 0 and high - low > widest):
            best, widest, threshold = share, float(high - low), middle
    return threshold


def _above(early: np.ndarray, reached: np.ndarray) -> float:
    """Above all that demonstrations reach early; where that is below what all of them reach in the
    end, half-way between.
    """
    highest, least = float(early.max()), float(reached.min())
    if not math.isfinite(highest):
        return least - ROUNDING
    return (highest + least) / 2 if least > highest else highest + ROUNDING
