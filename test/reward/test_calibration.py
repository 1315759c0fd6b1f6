# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Scales of attempts with synthetic log-probabilities, whose right scale is known."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from topreward_ros.reward.calibration import Calibration, LengthBias, Scale
from topreward_ros.reward.fit_scale import Attempt, length_bias, make_scale
from topreward_ros.reward.live import LiveReward
from topreward_ros.reward.progress import CalibratedNormalization
from topreward_ros.reward.success import SuccessDetector
from topreward_ros.scoring.score import Score

NO_BIAS = LengthBias()


def attempt(log_probs: np.ndarray, static: np.ndarray | None = None, ok: bool = True) -> Attempt:
    count = len(log_probs)
    still = np.zeros(count) if static is None else static
    return Attempt(log_probs, np.arange(count) / 2, np.arange(1, count + 1), still, ok)


def rising(low: float, high: float, count: int = 21, is_success: bool = True) -> Attempt:
    return attempt(np.linspace(low, high, count), ok=is_success)


def progress_of(scale: Scale, log_prob: float) -> float:
    return CalibratedNormalization(scale.points, scale.levels).progress(log_prob)


def test_the_scale_of_even_demonstrations_is_their_range() -> None:
    scale = make_scale([rising(-10, -2), rising(-12, -4), rising(-11, -3)], NO_BIAS)
    assert scale.levels == pytest.approx(np.linspace(-11, -3, 11))
    assert scale.points == pytest.approx(np.linspace(0, 1, 11))
    progress = [progress_of(scale, p) for p in (-20, -11, -7, -3, 0)]
    assert progress == pytest.approx([0, 0, 0.5, 1, 1])
    assert math.isnan(progress_of(scale, math.nan))


def test_levels_rise_where_demonstrations_dip() -> None:
    scale = make_scale([attempt(np.array([-9.0, -5.0, -7.0, -6.0, -1.0]))], NO_BIAS)
    assert (np.diff(scale.levels) > 0).all() and (np.diff(scale.points) > 0).all()
    assert scale.levels[0] == -9 and scale.levels[-1] == pytest.approx(-1)


def test_noise_is_no_progress_where_demonstrations_stood_still() -> None:
    random = np.random.default_rng(0)
    still_end = [np.concatenate([np.linspace(-10, -2, 28), np.full(12, -2.0)]) for _ in range(5)]
    scale = make_scale(
        [attempt(curve + random.normal(0, 0.05, 40)) for curve in still_end], NO_BIAS
    )
    assert progress_of(scale, -2.05) > 0.95 and progress_of(scale, -1.95) == pytest.approx(1)
    still_start = [np.concatenate([np.full(12, -10.0), np.linspace(-10, -2, 28)]) for _ in range(5)]
    scale = make_scale(
        [attempt(curve + random.normal(0, 0.05, 40)) for curve in still_start], NO_BIAS
    )
    assert progress_of(scale, -10.05) == pytest.approx(0, abs=0.02)
    assert progress_of(scale, -9.9) < 0.1


def test_progress_is_even_in_time_where_frames_thin_out() -> None:
    times = np.concatenate([np.arange(40) / 2, 20 + np.arange(20)])  # 2 Hz, then 1 Hz
    log_probs = -10 + 8 * times / times[-1]
    thinned = Attempt(log_probs, times, np.arange(1, 61), np.zeros(60))
    scale = make_scale([thinned], NO_BIAS)
    assert progress_of(scale, -6.0) == pytest.approx(0.5, abs=0.01)


def test_the_threshold_separates_failures() -> None:
    good = [rising(-10, -2), rising(-10, -1)]
    bad = [rising(-10, -6, is_success=False), rising(-10, -5, is_success=False)]
    scale = make_scale([*good, *bad], NO_BIAS)
    assert -5.6 < scale.threshold < -2.4
    assert (scale.roc_auc, scale.detected, scale.false_alarm) == (1, 1, 0)
    for attempt in (*good, *bad):
        detector = SuccessDetector(scale.threshold)
        assert any([detector.update(float(p)) for p in attempt.log_probs]) is attempt.is_success


def test_inseparable_attempts_are_never_detected_as_successes() -> None:
    scale = make_scale([rising(-10, -2), rising(-10, -2, is_success=False)], NO_BIAS)
    assert scale.roc_auc == 0.5 and scale.detected == scale.false_alarm == 0
    upside_down = make_scale([rising(-10, -4), rising(-10, -2, is_success=False)], NO_BIAS)
    assert upside_down.roc_auc == 0 and upside_down.false_alarm == 0


def test_too_short_to_bound_false_alarms() -> None:
    scale = make_scale([rising(-10, -2, count=4)], NO_BIAS)
    assert math.isnan(scale.false_alarm) and scale.detected == 1


def test_successes_alone_bound_the_false_alarms() -> None:
    """The share of new demonstrations that fire early is within the bound."""
    random = np.random.default_rng(0)

    def demonstration() -> Attempt:
        low, high = random.normal(-10, 1), random.normal(-2, 1)
        return attempt(np.linspace(low, high, 30) + random.normal(0, 0.3, 30))

    alarms = []
    for _ in range(60):
        scale = make_scale([demonstration() for _ in range(4)], NO_BIAS)
        assert scale.false_alarm == pytest.approx(1 / 5) and math.isnan(scale.roc_auc)
        detector = SuccessDetector(scale.threshold)
        alarms.append(any([detector.update(float(p)) for p in demonstration().log_probs[:24]]))
    assert np.mean(alarms) < 0.2 + 0.1


def test_the_static_curve_is_subtracted() -> None:
    creep = np.minimum(np.arange(20), 8) * 0.5  # rises over the first 8 frames, then holds
    attempts = [attempt(np.linspace(-10, -6, 20) + creep, -10 + creep) for _ in range(3)]
    bias = length_bias(attempts)
    assert bias.curve == pytest.approx(tuple(creep))
    assert bias.corrected(-3.0, 100) == -3.0 - 4.0
    scale = make_scale(attempts, bias)
    assert scale.levels == pytest.approx(np.linspace(-10, -6, 11), abs=1e-6)
    normalization = CalibratedNormalization(scale.points, scale.levels)
    live = LiveReward(normalization, SuccessDetector(-1.0), bias)
    progress = [
        live.update(Score(n, float(-10 + step))).progress for n, step in enumerate(creep, start=1)
    ]
    assert progress == pytest.approx([0.0] * 20, abs=1e-6)


def test_shorter_static_curves_hold_their_end() -> None:
    attempts = [
        attempt(np.zeros(2), np.array([-5.0, -4.0])),
        attempt(np.zeros(3), np.array([-9.0, -9.0, -6.0])),
    ]
    assert length_bias(attempts).curve == (0.0, 0.5, 2.0)


@pytest.mark.parametrize(
    ('attempts', 'message'),
    [
        ([rising(-10, -2, is_success=False)], 'no attempt succeeded'),
        ([rising(-10, -2, count=3)], 'raise fps'),
        ([rising(-2, -10)], 'does not rise'),
    ],
)
def test_attempts_without_a_scale(attempts: list[Attempt], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_scale(attempts, NO_BIAS)


def test_invalid_scales() -> None:
    halves = (0.0, 1.0)
    for points, levels in (
        ((0.0,), (-5.0,)),
        (halves, (-5.0, -5.0)),
        (halves, (-5.0, math.nan)),
        ((0.0, 0.5), (-5.0, -4.0)),
        ((0.0, 0.5, 1.0), (-5.0, -4.0)),
    ):
        with pytest.raises(ValueError, match=r'levels|points'):
            Scale(points, levels, -1.0, math.nan, 0.1, 1.0)
    with pytest.raises(ValueError, match='threshold'):
        Scale(halves, (-5.0, -4.0), math.nan, math.nan, 0.1, 1.0)
    with pytest.raises(ValueError, match='length bias'):
        LengthBias(())


def test_a_calibration_holds_for_what_it_was_made_with() -> None:
    plain = Scale((0.0, 1.0), (-9.0, -1.0), -2.0, math.nan, 0.2, 1.0)
    static = Scale((0.0, 1.0), (-8.0, -3.0), -4.0, math.nan, 0.2, 1.0)
    bias = LengthBias((0.0, 0.5))
    made = Calibration('m', 'abc', 'one', 2.0, ('a',), 4, 0, 3, 2, plain, static, bias)
    assert made.mismatch('abc', 'one', 2.0) == ''
    assert 'another model, m (abc)' in made.mismatch('xyz', 'one', 2.0)
    assert "layout 'one'" in made.mismatch('abc', 'two', 2.0)
    assert 'here fps is 4' in made.mismatch('abc', 'one', 4.0)
    assert (made.history, made.mismatch('abc', 'one', 2.0, 'thin')) == ('thin', '')
    assert made.mismatch('abc', 'one', 2.0, 'last 8') == (
        'it was made with the history thin; here it is last with max_frames 8'
    )
    last = dataclasses.replace(made, history='last 8')
    assert last.mismatch('abc', 'one', 2.0, 'last 8') == ''
    assert 'here it is last with max_frames 16' in last.mismatch('abc', 'one', 2.0, 'last 16')
    assert 'here it is thin' in last.mismatch('abc', 'one', 2.0)
    with pytest.raises(ValueError, match='history is 8'):
        dataclasses.replace(made, history=8)
    assert made.reading('none') == (plain, LengthBias())
    assert made.reading('static') == (static, bias)
    with pytest.raises(ValueError, match='expected one of none, static'):
        made.reading('all')
    with pytest.raises(ValueError, match='use none'):
        dataclasses.replace(made, static=None).reading('static')
    for change in ({'fps': '7'}, {'fps': math.inf}, {'window': 0}, {'hold': 1.5}, {'layout': None}):
        with pytest.raises(ValueError, match='expected'):
            dataclasses.replace(made, **change)
