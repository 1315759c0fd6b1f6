# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a number of recordings can promise, against the textbook and against repeated draws."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from topreward_ros.reward.calibration import LengthBias, Scale
from topreward_ros.reward.fit_guarantee import (
    WithoutSuccess,
    beginning,
    guaranteed_threshold,
    progress_band,
    progress_error,
    with_guarantee,
)
from topreward_ros.reward.fit_scale import Attempt
from topreward_ros.reward.guarantee import (
    Band,
    Guarantee,
    TooFewError,
    allowed,
    at_most,
    interval,
    limit,
    needed,
    upper_bound,
)
from topreward_ros.reward.success import SuccessDetector

NO_BIAS = LengthBias()
SHARES = st.floats(0.01, 0.9)
CONFIDENCES = st.sampled_from((0.8, 0.9, 0.95, 0.99))


def attempt(log_probs: np.ndarray, ok: bool = False) -> Attempt:
    count = len(log_probs)
    return Attempt(log_probs, np.arange(count) / 2, np.arange(1, count + 1), np.zeros(count), ok)


def test_what_twenty_recordings_promise() -> None:
    assert (
        upper_bound(0, 20) == pytest.approx(1 - 0.05 ** (1 / 20)) == pytest.approx(0.1391, abs=1e-4)
    )
    assert (needed(0.05), needed(0.1), needed(0.2), needed(0.14)) == (59, 29, 14, 20)
    assert needed(0.9999) == needed(0.96) == 1
    assert (allowed(20, 0.2), allowed(100, 0.2)) == (0, 13)
    with pytest.raises(TooFewError, match=r'^20 can promise 14% at best .* 0\.05 takes 59$'):
        allowed(20, 0.05)
    assert upper_bound(0, 0) == upper_bound(3, 3) == 1


def test_the_binomial_sum_is_the_textbook_one() -> None:
    for count, share in ((1, 0.3), (20, 0.2), (50, 0.9)):
        terms = [math.comb(count, k) * share**k * (1 - share) ** (count - k) for k in range(count)]
        for beyond in range(count):
            assert at_most(beyond, count, share) == pytest.approx(sum(terms[: beyond + 1]))
    assert at_most(50_000, 100_000, 0.5) == pytest.approx(0.5, abs=0.002)


def test_the_interval_of_a_share() -> None:
    assert interval(0, 20) == pytest.approx((0, 0.1684), abs=1e-4)  # 1 - 0.025 ** (1 / 20)
    assert interval(3, 20) == pytest.approx((0.0321, 0.3789), abs=1e-4)
    assert interval(20, 20) == pytest.approx((0.8316, 1), abs=1e-4)
    assert interval(0, 0) == (0, 1)


@given(count=st.integers(1, 400), share=SHARES, confidence=CONFIDENCES)
def test_the_most_that_may_be_beyond(count: int, share: float, confidence: float) -> None:
    """One more would promise too much, and a refusal is right."""
    risk = 1 - confidence
    if count < needed(share, confidence):
        assert (1 - share) ** count > risk
        with pytest.raises(TooFewError):
            allowed(count, share, confidence)
        return
    beyond = allowed(count, share, confidence)
    assert at_most(beyond, count, share) <= risk
    assert beyond == count - 1 or at_most(beyond + 1, count, share) > risk
    assert upper_bound(beyond, count, confidence) <= share + 1e-9


@given(
    values=st.lists(st.integers(0, 5), min_size=20, max_size=80),
    share=st.floats(0.15, 0.9),
)
def test_no_more_than_allowed_are_beyond_the_limit(values: list[int], share: float) -> None:
    """Also where values are tied; and no lower value of them would do."""
    highest, beyond = limit(values, share)
    assert highest in values and sum(value > highest for value in values) <= beyond
    lower = [value for value in values if value < highest]
    assert not lower or sum(value > max(lower) for value in values) > beyond


@pytest.mark.parametrize(('count', 'share'), [(20, 0.2), (59, 0.05), (100, 0.2)])
def test_the_promise_is_kept_in_as_many_draws_as_it_says(count: int, share: float) -> None:
    """Of uniform values, the share above the limit is known exactly."""
    random = np.random.default_rng(count)
    over = [1 - limit(list(random.uniform(size=count)), share)[0] > share for _ in range(4000)]
    expected = at_most(allowed(count, share), count, share)
    assert np.mean(over) == pytest.approx(expected, abs=4 * math.sqrt(expected / 4000))
    # The quantile itself, which promises nothing, is over in about half of the draws
    naive = [np.quantile(random.uniform(size=count), 1 - share) < 1 - share for _ in range(4000)]
    assert np.mean(naive) > 0.4


def test_values_that_are_not_finite() -> None:
    with pytest.raises(ValueError, match='not finite'):
        limit([*range(20), -math.inf], 0.2)


def test_the_threshold_is_above_all_but_those_allowed() -> None:
    random = np.random.default_rng(1)
    curves = [random.normal(-5, 2, 12) for _ in range(100)]
    kinds = WithoutSuccess(
        failed=[attempt(curve) for curve in curves[:50]],
        other_tasks=[attempt(curve) for curve in curves[50:70]],
        beginnings=[attempt(curve) for curve in [*curves[70:], np.zeros(3)]],  # one too short
    )
    threshold, guarantee = guaranteed_threshold(kinds, NO_BIAS, 0.2)
    assert guarantee == Guarantee(0.2, 0.95, 50, 20, 30, beyond=13)
    assert guarantee.bound == pytest.approx(0.1987, abs=1e-4)

    def alarms(threshold: float) -> int:
        detectors = [SuccessDetector(threshold) for _ in curves]
        return sum(
            any([detector.update(float(value)) for value in curve])
            for detector, curve in zip(detectors, curves, strict=True)
        )

    assert alarms(threshold) == 13 and alarms(threshold - 0.002) == 14
    with pytest.raises(TooFewError, match='takes 299'):
        guaranteed_threshold(kinds, NO_BIAS, 0.01)


def test_the_length_bias_is_subtracted_before_the_threshold() -> None:
    bias = LengthBias(tuple(np.linspace(0, 2, 12)))
    kinds = WithoutSuccess(failed=[attempt(np.full(12, -3.0)) for _ in range(20)])
    plain, _ = guaranteed_threshold(kinds, NO_BIAS, 0.2)
    static, _ = guaranteed_threshold(kinds, bias, 0.2)
    assert plain == pytest.approx(-3, abs=0.01)
    # The highest held mean is the first: of frames 1 to 3, and 2 to 4
    assert static == pytest.approx(-3 - 2 * 2 / 11, abs=0.01)


def test_a_beginning_ends_before_the_last_part() -> None:
    whole = attempt(np.arange(11.0), ok=True)
    part = beginning(whole)
    assert part.log_probs.tolist() == list(range(8)) and not part.is_success
    assert len(part.times) == len(part.frames) == 8


def test_a_scale_with_a_guarantee() -> None:
    scale = Scale((0.0, 1.0), (-9.0, -1.0), -5.0, 0.9, 0.0, 1.0)
    guarantee = Guarantee(0.2, 0.95, 20, 0, 0, 0)
    new = with_guarantee(scale, -2.0, guarantee, [-1.0, -3.0], [-2.0, -4.0, -4.0, -4.0])
    assert (new.threshold, new.detected, new.false_alarm) == (-2, 0.5, 0.25)
    assert new.guarantee == guarantee and new.levels == scale.levels and new.roc_auc == 0.9
    alone = with_guarantee(scale, -2.0, guarantee, [-1.0], [])
    assert alone.false_alarm == pytest.approx(0.139, abs=1e-3)


def test_the_band_is_left_as_rarely_as_it_says() -> None:
    """Successes whose largest error is uniform: its distribution is known."""
    random = np.random.default_rng(3)
    scale = Scale((0.0, 1.0), (-10.0, 0.0), -1.0, math.nan, 0.1, 1.0)

    def success(error: float) -> Attempt:
        log_probs = np.linspace(-10, 0, 11)
        log_probs[5] += 10 * error  # progress is 1/2 there
        return attempt(log_probs, ok=True)

    assert progress_error(scale, NO_BIAS, success(0.3)) == pytest.approx(0.3)
    over = 0
    for _ in range(200):
        errors = random.uniform(0, 0.4, 14)
        band = progress_band(scale, NO_BIAS, [success(error) for error in errors], 0.2)
        assert band.width == pytest.approx(max(errors)) and (band.successes, band.beyond) == (14, 0)
        over += 1 - band.width / 0.4 > 0.2
    assert over / 200 < 0.05 + 2.6 * math.sqrt(0.05 * 0.95 / 200)
    with pytest.raises(TooFewError, match='takes 14'):
        progress_band(scale, NO_BIAS, [success(0.1)] * 13, 0.2)


@pytest.mark.parametrize(
    'change',
    [
        {'share': 0.0},
        {'share': math.nan},
        {'share': 1.0},
        {'confidence': 1.0},
        {'confidence': '0.95'},
        {'failed': -1},
        {'failed': 10**9},
        {'beginnings': 1.5},
        {'beyond': 1},
        {'failed': 13},
        {'share': 0.13},
    ],
)
def test_promises_that_cannot_be_kept(change: dict) -> None:
    good = Guarantee(0.2, 0.95, 20, 0, 0, 0)
    with pytest.raises((ValueError, TypeError)):
        dataclasses.replace(good, **change)
    band = Band(0.1, 0.2, 0.95, 20, 0)
    assert band.bound == pytest.approx(0.139, abs=1e-3)
    renamed = {{'failed': 'successes'}.get(key, key): value for key, value in change.items()}
    if 'beginnings' not in renamed:
        with pytest.raises((ValueError, TypeError)):
            dataclasses.replace(band, **renamed)
    with pytest.raises(ValueError, match='width'):
        dataclasses.replace(band, width=math.nan)
