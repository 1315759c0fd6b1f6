# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import pytest

from topreward_ros.reward.success import SuccessDetector


def detections(detector: SuccessDetector, log_probs: list[float]) -> list[int]:
    return [k for k, log_prob in enumerate(log_probs) if detector.update(log_prob)]


def test_mean_of_three_held_twice() -> None:
    detector = SuccessDetector(-5.0, window=3, hold=2)
    assert detections(detector, [-4, -4, -4, -4, -4]) == [3]


def test_too_few_scores_are_no_success() -> None:
    assert detections(SuccessDetector(-5.0, window=3, hold=1), [0, 0]) == []


def test_one_lucky_score_is_no_success() -> None:
    assert detections(SuccessDetector(-5.0, window=1, hold=2), [-9, -1, -9, -1, -9]) == []


def test_once_per_episode() -> None:
    detector = SuccessDetector(-5.0, window=1, hold=1)
    assert detections(detector, [-1, -9, -1, -1]) == [0]
    detector.start()
    assert detections(detector, [-1]) == [0]


def test_what_is_detected() -> None:
    detector = SuccessDetector(-5.0, window=2, hold=1)
    detector.update(-6.0)
    success = detector.update(-3.0)
    assert success is not None and (success.score, success.threshold) == (-4.5, -5.0)


def test_nan_is_never_a_success() -> None:
    assert detections(SuccessDetector(-5.0, window=2, hold=1), [math.nan] * 4) == []


@pytest.mark.parametrize('bad', [(math.inf, 3, 2), (math.nan, 3, 2), (-5.0, 0, 2), (-5.0, 3, 0)])
def test_invalid_settings(bad: tuple) -> None:
    with pytest.raises(ValueError):
        SuccessDetector(*bad)
