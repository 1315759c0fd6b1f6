# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whether better attempts at a task score higher than worse ones, and by how much."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from topreward_ros.recordings.recording import folded
from topreward_ros.reward.calibration import Calibration
from topreward_ros.reward.metrics import better_pairs, kendall_tau, last_mean

from .figures import curve_values, methods_of, readings
from .intervals import LEAST, NONE, Figure, resampled, two_sample_figure
from .measuring import REAL, Measurement

BETTER = 0.05  # of true final progress, by which one attempt is better than another
TAU, GAP = "Kendall's tau", 'success - failure'


def ranking(measured: Sequence[Measurement]) -> dict[str, dict[str, Figure]]:
    """Return Kendall's tau of each method between better and worse attempts at the same task.

    The score of an attempt is the mean of its last three values. Empty where no task has both.
    """
    table = {method: {TAU: _tau(measured, method)} for method in methods_of(measured)}
    return table if any(row[TAU].count for row in table.values()) else {}


def qualities(measured: Sequence[Measurement]) -> np.ndarray:
    """Return how good each attempt is, (n,) in [0, 1].

    The true final progress where it is known of every attempt at the task, else 1 for a success and
    0 for a failure; NaN for one without a label.
    """
    unknown = {folded(each.task) for each in measured if each.truth is None}
    return np.array(
        [
            {True: 1.0, False: 0.0, None: math.nan}[each.is_success]
            if each.truth is None or folded(each.task) in unknown
            else float(each.truth[-1])
            for each in measured
        ]
    )


def _tau(measured: Sequence[Measurement], method: str) -> Figure:
    scores = np.array([_score(each, method) for each in measured])
    quality = qualities(measured)
    known = ~np.isnan(scores) & ~np.isnan(quality)
    scores, quality = scores[known], quality[known]
    tasks = [folded(each.task) for each, use in zip(measured, known, strict=True) if use]
    pairs = better_pairs(quality, tasks, BETTER)
    better, worse = pairs.any(axis=1), pairs.any(axis=0)
    kinds = {
        'of the better': [float(value) for value in scores[better]],
        'of the worse': [float(value) for value in scores[worse]],
    }
    count = int((better | worse).sum())

    def tau(drawn: np.ndarray) -> float:
        weights = np.bincount(drawn.astype(int), minlength=len(scores)).astype(float)
        return kendall_tau(scores, pairs, weights)

    enough = min(better.sum(), worse.sum()) >= LEAST
    low, high = resampled(tau, list(range(len(scores)))) if enough else NONE
    value = kendall_tau(scores, pairs)
    return Figure(value, low, high, count, count, kinds)


def _score(each: Measurement, method: str) -> float:
    values = curve_values(each.curves[REAL][method])
    return last_mean(values) if values.size else math.nan


def gaps(
    measured: Sequence[Measurement], calibration: Calibration | None
) -> Mapping[str, Mapping[str, Figure]]:
    """Return by mapping to progress how much further successes end than failures, on average.

    The end of an attempt is the mean of its last three values of progress.
    """
    table = {}
    for name, (method, read) in readings(methods_of(measured), calibration).items():
        ends: dict[bool | None, list[float]] = {True: [], False: [], None: []}
        for each in measured:
            progress = read(each.curves[REAL][method], each.lengths)
            valid = progress[~np.isnan(progress)]
            ends[each.is_success].append(last_mean(valid) if valid.size else math.nan)
        table[name] = {GAP: two_sample_figure(_gap, ends[True], ends[False])}
    return table


def _gap(successes: Sequence[float], failures: Sequence[float]) -> float:
    return float(np.mean(successes) - np.mean(failures))
