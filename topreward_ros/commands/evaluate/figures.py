# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Compute the figures of the report over all recordings, with confidence intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from topreward_ros.reward.calibration import DIFFERENCE, Calibration
from topreward_ros.reward.live import RewardOptions
from topreward_ros.reward.metrics import (
    LAST_SCORES,
    correlation,
    held_mean,
    last_mean,
    roc_auc,
    value_order_correlation,
)
from topreward_ros.reward.progress import CalibratedNormalization, make_normalization, min_max

from .intervals import Figure, mean_figure, two_sample_figure
from .measuring import CONTROLS, REAL, Measurement
from .methods import LOG_PROB, MARGIN, OWN, STATIC, Curve

ANSWERED, FAILED = 'answered', 'failed recordings'
MIN_MAX, CALIBRATED = 'min-max of the episode', 'calibrated'
# By length bias
CALIBRATED_NAMES = {'none': CALIBRATED, 'static': f'{CALIBRATED}, static bias taken off'}
MIN_MAXED = (LOG_PROB, STATIC, MARGIN)  # whose values are not progress in [0, 1]
# Maps a curve, and the prefix lengths of its values, to progress in [0, 1]
Reader = Callable[[Curve, Sequence[int]], np.ndarray]


def methods_of(measured: Sequence[Measurement]) -> list[str]:
    return list(measured[0].curves[REAL]) if measured else []


def order(measured: Sequence[Measurement]) -> dict[str, dict[str, Figure]]:
    """Return the VOC of each method on recordings that did not fail, on their controls, and on
    failed recordings.

    Flat curves are not counted.
    """
    done = [each for each in measured if each.is_success is not False]
    failed = [each for each in measured if each.is_success is False]
    return {
        method: {
            **{variation: _voc(done, variation, method) for variation in (REAL, *CONTROLS)},
            FAILED: _voc(failed, REAL, method),
            ANSWERED: mean_figure([each.curves[REAL][method].answered for each in done]),
        }
        for method in methods_of(measured)
    }


def _voc(measured: Sequence[Measurement], variation: str, method: str) -> Figure:
    curves = (curve_values(each.curves[variation][method]) for each in measured)
    return mean_figure([value_order_correlation(values) for values in curves if values.size])


def success(measured: Sequence[Measurement]) -> dict[str, dict[str, Figure]]:
    """Return the ROC-AUC of each method with the paper's rule, and with that of the live node."""
    rules = {f'mean of the last {LAST_SCORES}': last_mean, 'held mean': held_mean}
    return {
        method: {rule: _auc(measured, method, score) for rule, score in rules.items()}
        for method in methods_of(measured)
    }


def _auc(
    measured: Sequence[Measurement], method: str, score: Callable[[np.ndarray], float]
) -> Figure:
    def scores(kind: bool) -> list[float]:
        curves = (curve_values(m.curves[REAL][method]) for m in measured if m.is_success is kind)
        return [score(curve) for curve in curves if curve.size]

    return two_sample_figure(roc_auc, scores(True), scores(False))


def readings(
    methods: Sequence[str], calibration: Calibration | None
) -> dict[str, tuple[str, Reader]]:
    """Return mappings from values to progress in [0, 1], by name, each with its method."""
    readers: dict[str, tuple[str, Reader]] = {}
    for method in methods:
        if method in MIN_MAXED:
            readers[f'{method}: {MIN_MAX}'] = (method, _min_max)
        else:
            readers[method] = (method, _as_it_is)
    if LOG_PROB in methods:
        low, high = RewardOptions.log_prob_low, RewardOptions.log_prob_high
        fixed = make_normalization('fixed', low, high)
        likely = make_normalization('probability', 0.0, 0.0)
        readers[f'{LOG_PROB}: fixed range {low:g} to {high:g} nat'] = (
            LOG_PROB,
            _each(fixed.progress),
        )
        readers[f'{LOG_PROB}: probability'] = (LOG_PROB, _each(likely.progress))
    calibrated = calibrated_method(methods, calibration)
    if calibrated is not None and calibration is not None:
        for bias, name in CALIBRATED_NAMES.items():
            if bias == 'none' or calibration.static is not None:
                readers[f'{calibrated}: {name}'] = (calibrated, _calibrated(calibration, bias))
    return readers


def calibrated_method(methods: Sequence[str], calibration: Calibration | None) -> str | None:
    """Return the method that a calibration is for, if there is one and it is among these."""
    if calibration is None:
        return None
    possible = (MARGIN,) if calibration.value == DIFFERENCE else (LOG_PROB, OWN)
    return next((name for name in possible if name in methods), None)


def _min_max(curve: Curve, _lengths: Sequence[int]) -> np.ndarray:
    return min_max(curve.values)


def _as_it_is(curve: Curve, _lengths: Sequence[int]) -> np.ndarray:
    return np.asarray(curve.values)


def _each(progress: Callable[[float], float]) -> Reader:
    return lambda curve, _: np.array([progress(float(value)) for value in curve.values])


def _calibrated(calibration: Calibration, length_bias: str) -> Reader:
    """Return the mapping of the live node with this calibration."""
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
    """Return errors of progress by mapping, over recordings whose true progress is known.

    These are the mean absolute error of successes and of failures, and the correlation.
    """
    known = [each for each in measured if each.truth is not None]
    if not known:
        return {}
    table = {}
    for name, (method, read) in readings(methods_of(measured), calibration).items():
        parts: dict[str, list[float]] = {'successes': [], 'failures': [], 'correlation': []}
        for each in known:
            curve = each.curves[REAL][method]
            if not curve_values(curve).size:
                continue
            progress, truth = read(curve, each.lengths), at(each.truth, curve.positions)
            kind = 'failures' if each.is_success is False else 'successes'
            valid = ~np.isnan(progress)
            gap = np.abs(progress - truth)[valid]
            parts[kind].append(float(gap.mean()) if valid.any() else np.nan)
            parts['correlation'].append(correlation(progress[valid], truth[valid]))
        table[name] = {part: mean_figure(values) for part, values in parts.items()}
    return table


def published(measured: Sequence[Measurement]) -> dict[str, dict[str, dict[str, float]]]:
    """Compare TOPReward's min-max progress with published curves, by recording and method.

    The figures are the mean absolute difference, the correlation, and the published curve's own
    error where the true progress is known.
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
    """Interpolate evenly spaced values at positions from 0 to 1."""
    assert values is not None
    return np.interp(positions, np.linspace(0, 1, len(values)), values)


def curve_values(curve: Curve) -> np.ndarray:
    """Return the values that are not NaN."""
    return curve.values[~np.isnan(curve.values)]
