# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How well success is detected at a threshold, and how late.

A calibration has a threshold for one method. The threshold of the others is, for each recording,
the one that tells the other recordings apart best, so that none is judged by itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from topreward_ros.reward.calibration import Calibration, LengthBias
from topreward_ros.reward.fit_scale import separating_threshold
from topreward_ros.reward.metrics import detected_at, failure_f1, held_mean
from topreward_ros.reward.progress import CalibratedNormalization
from topreward_ros.reward.success import HOLD, WINDOW

from .figures import CALIBRATED_NAMES, calibrated_method, curve_values, methods_of
from .intervals import Figure, mean_figure, resampled, share_figure
from .measuring import REAL, Measurement
from .methods import Curve

F1, ALARMS, MISSES = 'F1 of failures', 'false alarms', 'misses'
EARLY, DELAY = 'detected early', 'seconds to detection'
COLUMNS = (F1, ALARMS, MISSES, EARLY, DELAY)
OTHERS = 'threshold of the others'
DONE = 0.99  # share of its highest true progress at which a success is done
# Values of a method, and the prefix lengths they belong to, as they are compared to a threshold
Values = Callable[[Curve, Sequence[int]], np.ndarray]


@dataclass(frozen=True)
class Verdict:
    """A recording judged: whether success was detected, and when after its true end [s].

    seconds is negative before the end, NaN where nothing is detected or the end is unknown.
    """

    is_success: bool
    detected: bool
    seconds: float = math.nan


def detection(
    measured: Sequence[Measurement], calibration: Calibration | None
) -> dict[str, dict[str, Figure]]:
    """Return the figures COLUMNS by method and threshold, over the labelled recordings."""
    table = {f'{method}: {OTHERS}': _by_others(measured, method) for method in methods_of(measured)}
    method = calibrated_method(methods_of(measured), calibration)
    if calibration is not None and method is not None:
        for bias, name in CALIBRATED_NAMES.items():
            if bias == 'none' or calibration.static is not None:
                table[f'{method}: {name}'] = _calibrated(measured, method, calibration, bias)
    return {name: _figures(verdicts) for name, verdicts in table.items() if verdicts}


def _figures(verdicts: Sequence[Verdict]) -> dict[str, Figure]:
    good = [each for each in verdicts if each.is_success]
    found, alarms = (
        [each.detected for each in verdicts if each.is_success is kind] for kind in (True, False)
    )
    ends = [each.seconds for each in good if not math.isnan(each.seconds)]
    flags = [[float(flag) for flag in each] for each in (found, alarms)]
    f1 = failure_f1(found, alarms) if alarms else math.nan
    count = len(verdicts) if alarms else 0
    return {
        F1: Figure(f1, *resampled(failure_f1, *flags), count, count),
        ALARMS: share_figure(alarms, 'failures'),
        MISSES: share_figure([not flag for flag in found], 'successes'),
        EARLY: share_figure(
            [seconds < 0 for seconds in ends], 'detected successes whose end is known'
        ),
        DELAY: mean_figure(ends),
    }


def _by_others(measured: Sequence[Measurement], method: str) -> list[Verdict]:
    """Judge each recording by the threshold that tells the others apart best.

    Recordings that are too short to be judged are left out, and all where the others of one are
    not successes and failures.
    """
    judged = [
        (each, held_mean(curve_values(each.curves[REAL][method])))
        for each in measured
        if each.is_success is not None
    ]
    judged = [(each, held) for each, held in judged if math.isfinite(held)]
    verdicts = []
    for k, (each, _) in enumerate(judged):
        others = [pair for j, pair in enumerate(judged) if j != k]
        good, bad = (
            np.array([held for other, held in others if other.is_success is kind])
            for kind in (True, False)
        )
        if not good.size or not bad.size:
            return []
        threshold = separating_threshold(good, bad)
        verdicts.append(_judge(each, method, lambda curve, _: curve.values, threshold))
    return verdicts


def _calibrated(
    measured: Sequence[Measurement], method: str, calibration: Calibration, length_bias: str
) -> list[Verdict]:
    scale, bias = calibration.reading(length_bias)
    rule = calibration.window, calibration.hold
    return [
        _judge(each, method, _without(bias), scale.threshold, rule)
        for each in measured
        if each.is_success is not None
        and curve_values(each.curves[REAL][method]).size >= sum(rule) - 1
    ]


def _without(bias: LengthBias) -> Values:
    return lambda curve, lengths: np.array(
        [
            bias.corrected(float(value), length)
            for value, length in zip(curve.values, lengths, strict=True)
        ]
    )


def _judge(
    each: Measurement,
    method: str,
    values_of: Values,
    threshold: float,
    rule: tuple[int, int] = (WINDOW, HOLD),
) -> Verdict:
    curve = each.curves[REAL][method]
    values = values_of(curve, each.lengths)
    known = ~np.isnan(values)
    index = detected_at(values[known], threshold, *rule)
    if index is None:
        return Verdict(bool(each.is_success), False)
    seconds = math.nan
    if each.truth is not None:
        position = float(curve.positions[known][index])
        seconds = (position - true_end(each.truth)) * each.seconds
    return Verdict(bool(each.is_success), True, seconds)


def true_end(truth: np.ndarray) -> float:
    """Return when progress first reaches DONE of its highest, as a share of the recording.

    truth (n,) is at evenly spaced times from the beginning to the end, linear in between. NaN where
    it never rises above 0.
    """
    enough = DONE * float(truth.max())
    if enough <= 0:
        return math.nan
    k = int(np.argmax(truth >= enough))
    if k == 0:
        return 0.0
    low, high = float(truth[k - 1]), float(truth[k])
    return (k - 1 + (enough - low) / (high - low)) / (len(truth) - 1)


def within_band(
    measured: Sequence[Measurement], calibration: Calibration
) -> Mapping[str, tuple[float, list[bool]]]:
    """Return by calibrated reading the width of its band, and whether each success stays in it."""
    method = calibrated_method(methods_of(measured), calibration)
    table: dict[str, tuple[float, list[bool]]] = {}
    for bias, name in CALIBRATED_NAMES.items():
        if method is None or (bias == 'static' and calibration.static is None):
            continue
        scale, length_bias = calibration.reading(bias)
        if scale.band is None:
            continue
        progress = CalibratedNormalization(scale.points, scale.levels).progress
        inside = []
        for each in measured:
            curve = each.curves[REAL][method]
            if each.is_success is not True or len(curve.positions) < 2:
                continue
            passed = (curve.positions - curve.positions[0]) / np.ptp(curve.positions)
            read = [progress(value) for value in _without(length_bias)(curve, each.lengths)]
            inside.append(bool(np.abs(np.array(read) - passed).max() <= scale.band.width))
        table[f'{method}: {name}'] = scale.band.width, inside
    return table
