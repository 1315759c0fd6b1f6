# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Figures over all recordings, each with its interval."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from topreward_ros.reward.calibration import Calibration
from topreward_ros.reward.metrics import (
    LAST,
    bootstrap,
    correlation,
    held_mean,
    last_mean,
    roc_auc,
    value_order_correlation,
)
from topreward_ros.reward.progress import CalibratedNormalization, make_normalization, min_max

from .measuring import CONTROLS, REAL, Measurement
from .methods import LOG_PROB, MARGIN, OWN, STATIC, Curve

ANSWERED = 'answered'
MIN_MAX, CALIBRATED = 'min-max of the episode', 'calibrated'
MIN_MAXED = (LOG_PROB, STATIC, MARGIN)  # whose values are no progress yet
# Of a curve, and the lengths of the prefixes that its values are of
Reader = Callable[[Curve, Sequence[int]], np.ndarray]


@dataclass(frozen=True)
class Figure:
    """A value and its 95 % bootstrap interval, of `count` recordings out of `of`: the others, as
    those whose curve is flat, have none.
    """

    value: float
    low: float
    high: float
    count: int
    of: int


def mean_figure(values: Sequence[float]) -> Figure:
    """The mean of those that are numbers."""
    told = [value for value in values if not np.isnan(value)]
    mean = float(np.mean(told)) if told else float('nan')
    return Figure(mean, *bootstrap(_mean, told), len(told), len(values))


def methods_of(measured: Sequence[Measurement]) -> list[str]:
    return list(measured[0].curves[REAL]) if measured else []


def order(measured: Sequence[Measurement]) -> dict[str, dict[str, Figure]]:
    """VOC of each method on what did not fail, and on its controls; flat curves do not count."""
    done = [each for each in measured if each.is_success is not False]
    return {
        method: {
            **{
                variation: mean_figure(
                    [
                        value_order_correlation(told)
                        for each in done
                        if (told := _told(each.curves[variation][method])).size
                    ]
                )
                for variation in (REAL, *CONTROLS)
            },
            ANSWERED: mean_figure([each.curves[REAL][method].answered for each in done]),
        }
        for method in methods_of(measured)
    }


def success(measured: Sequence[Measurement]) -> dict[str, dict[str, Figure]]:
    """ROC-AUC of each method by the paper's rule, and by that of the live node."""
    rules = {f'mean of the last {LAST}': last_mean, 'held mean': held_mean}
    return {
        method: {rule: _auc(measured, method, score) for rule, score in rules.items()}
        for method in methods_of(measured)
    }


def _auc(
    measured: Sequence[Measurement], method: str, score: Callable[[np.ndarray], float]
) -> Figure:
    def scores(kind: bool) -> list[float]:
        curves = (_told(m.curves[REAL][method]) for m in measured if m.is_success is kind)
        return [score(curve) for curve in curves if curve.size]

    good, bad = scores(True), scores(False)
    count = len(good) + len(bad) if good and bad else 0
    return Figure(roc_auc(good, bad), *bootstrap(roc_auc, good, bad), count, count)


def readings(
    methods: Sequence[str], calibration: Calibration | None
) -> dict[str, tuple[str, Reader]]:
    """Ways from a method's values to progress in [0, 1], by name, each with its method."""
    found: dict[str, tuple[str, Reader]] = {}
    for method in methods:
        if method in MIN_MAXED:
            found[f'{method}: {MIN_MAX}'] = (method, _min_max)
        else:
            found[method] = (method, _as_it_is)
    if LOG_PROB in methods:
        fixed = make_normalization('fixed', -25.0, -5.0)
        likely = make_normalization('probability', 0.0, 0.0)
        found[f'{LOG_PROB}: fixed range -25 to -5 nat'] = (LOG_PROB, _each(fixed.progress))
        found[f'{LOG_PROB}: probability'] = (LOG_PROB, _each(likely.progress))
    calibrated = next((name for name in (LOG_PROB, OWN) if name in methods), None)
    if calibrated is not None and calibration is not None:
        readings_of = {'none': CALIBRATED, 'static': f'{CALIBRATED}, static bias taken off'}
        for bias, name in readings_of.items():
            if bias == 'none' or calibration.static is not None:
                found[f'{calibrated}: {name}'] = (calibrated, _calibrated(calibration, bias))
    return found


def _min_max(curve: Curve, _lengths: Sequence[int]) -> np.ndarray:
    return min_max(curve.values)


def _as_it_is(curve: Curve, _lengths: Sequence[int]) -> np.ndarray:
    return np.asarray(curve.values)


def _each(progress: Callable[[float], float]) -> Reader:
    return lambda curve, _: np.array([progress(float(value)) for value in curve.values])


def _calibrated(calibration: Calibration, length_bias: str) -> Reader:
    """As the live node reads it with this calibration."""
    scale, bias = calibration.reading(length_bias)
    progress = CalibratedNormalization(scale.points, scale.levels).progress

    def read(curve: Curve, lengths: Sequence[int]) -> np.ndarray:
        return np.array(
            [
                progress(bias.corrected(float(value), length))
                for value, length in zip(curve.values, lengths, strict=True)
            ]
        )

    return read


def errors(
    measured: Sequence[Measurement], calibration: Calibration | None
) -> dict[str, dict[str, Figure]]:
    """Mean absolute error of progress, of successes and of failures, and the correlation with the
    truth, by each reading, where the truth is known.
    """
    known = [each for each in measured if each.truth is not None]
    if not known:
        return {}
    table = {}
    for name, (method, read) in readings(methods_of(measured), calibration).items():
        parts: dict[str, list[float]] = {'successes': [], 'failures': [], 'correlation': []}
        for each in known:
            curve = each.curves[REAL][method]
            if not _told(curve).size:
                continue
            progress, truth = read(curve, each.lengths), at(each.truth, curve.positions)
            kind = 'failures' if each.is_success is False else 'successes'
            told = ~np.isnan(progress)
            gap = np.abs(progress - truth)[told]
            parts[kind].append(float(gap.mean()) if told.any() else np.nan)
            parts['correlation'].append(correlation(progress[told], truth[told]))
        table[name] = {part: mean_figure(values) for part, values in parts.items()}
    return table


def published(measured: Sequence[Measurement]) -> dict[str, dict[str, dict[str, float]]]:
    """Ours against what was published, for each recording and published method: mean absolute
    difference and correlation of TOPReward's min-max progress.
    """
    table: dict[str, dict[str, dict[str, float]]] = {}
    for each in measured:
        if not each.published or LOG_PROB not in each.curves[REAL]:
            continue
        curve = each.curves[REAL][LOG_PROB]
        ours = min_max(curve.values)
        row = {}
        for name, values in each.published.items():
            theirs = at(values, curve.positions)
            row[name] = {
                'difference': float(np.abs(ours - theirs).mean()),
                'correlation': correlation(ours, theirs),
            }
            if each.truth is not None:
                gap = np.abs(at(each.truth, curve.positions) - theirs)
                row[name]['its own error'] = float(gap.mean())
        table[each.name] = row
    return table


def at(values: np.ndarray | None, positions: np.ndarray) -> np.ndarray:
    """A curve of evenly spaced values, read at positions from 0 to 1."""
    assert values is not None
    return np.interp(positions, np.linspace(0, 1, len(values)), values)


def _told(curve: Curve) -> np.ndarray:
    """The values that are numbers."""
    return curve.values[~np.isnan(curve.values)]


def _mean(values: np.ndarray) -> float:
    return float(np.mean(values))
