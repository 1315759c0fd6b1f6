# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Figures of a report with their 95 % intervals, where there are recordings enough for one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from topreward_ros.reward.guarantee import interval
from topreward_ros.reward.metrics import bootstrap

LEAST = 10  # recordings of a kind; fewer make no interval
NONE = float('nan'), float('nan')


@dataclass(frozen=True)
class Figure:
    """A value and its 95 % interval, over `count` of `of` recordings.

    The others, such as those with a flat curve, have no value. low and high are NaN where there are
    fewer than LEAST recordings of a kind. values: what the value is made from, by kind of
    recording; of a share (is_share) they are 0 and 1.
    """

    value: float
    low: float
    high: float
    count: int
    of: int
    values: Mapping[str, Sequence[float]] = field(default_factory=dict)
    is_share: bool = False


def mean_figure(values: Sequence[float], kind: str = '') -> Figure:
    """Return the mean over the values that are not NaN, with its bootstrap interval."""
    valid = _valid(values)
    mean = float(np.mean(valid)) if valid else float('nan')
    return Figure(mean, *resampled(_mean, valid), len(valid), len(values), {kind: valid})


def share_figure(flags: Sequence[bool], kind: str = '') -> Figure:
    """Return the share of the flags that are set, with its exact interval (Clopper-Pearson)."""
    values = [float(flag) for flag in flags]
    count, seen = len(values), sum(flags)
    low, high = interval(seen, count) if count >= LEAST else NONE
    value = seen / count if count else float('nan')
    return Figure(value, low, high, count, count, {kind: values}, is_share=True)


def two_sample_figure(
    statistic: Callable[..., float], successes: Sequence[float], failures: Sequence[float]
) -> Figure:
    """Return a statistic of two samples of scores, with its bootstrap interval."""
    good, bad = _valid(successes), _valid(failures)
    count = len(good) + len(bad) if good and bad else 0
    value = statistic(good, bad) if count else float('nan')
    low, high = resampled(statistic, good, bad)
    return Figure(value, low, high, count, count, {'successes': good, 'failures': bad})


def resampled(statistic: Callable[..., float], *samples: Sequence[float]) -> tuple[float, float]:
    """Return the bootstrap interval of a statistic; NaN with fewer than LEAST in a sample."""
    return bootstrap(statistic, *samples) if min(map(len, samples)) >= LEAST else NONE


def _valid(values: Sequence[float]) -> list[float]:
    return [float(value) for value in values if not np.isnan(value)]


def _mean(values: np.ndarray) -> float:
    return float(np.mean(values))
