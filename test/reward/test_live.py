# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What live rewards make of scores, for every kind of score, normalization and calibration."""

from __future__ import annotations

import math

import numpy as np
import pytest

from topreward_ros.reward.calibration import Calibration, LengthBias
from topreward_ros.reward.fit_scale import Attempt, length_bias, make_scale
from topreward_ros.reward.live import NORMALIZATION_MODEL, LiveReward, RewardOptions
from topreward_ros.reward.progress import NORMALIZATIONS
from topreward_ros.scoring.score import Score

LIVE = [name for name in NORMALIZATIONS if name != 'calibrated']


def calibration_of(low: float, high: float, creep: float = 0.0) -> Calibration:
    """Return one whose scores rise from low to high, of which a still image gains `creep`."""
    scores, static = np.linspace(low, high, 20), np.linspace(0.0, creep, 20)
    attempts = [
        Attempt(scores + k * (high - low) / 200, np.arange(20) / 2, np.arange(1, 21), static)
        for k in range(4)
    ]
    bias = length_bias(attempts)
    return Calibration(
        *('toy', 'f', 'l', 2.0, ('lift it',), 4, 0, 2, 1),
        make_scale(attempts, LengthBias(), 2, 1),
        make_scale(attempts, bias, 2, 1),
        bias,
    )


def run(live: LiveReward, scores: list[Score]) -> tuple[list[float], set[str], int | None]:
    """Return the progress, the normalizations, and the frame of the success."""
    steps = [live.update(score) for score in scores]
    found = [score.frames for score, step in zip(scores, steps, strict=True) if step.success]
    names = {step.normalization for step in steps}
    return [step.progress for step in steps], names, found[0] if found else None


def own(values: list[float], success: list[float] | None = None) -> list[Score]:
    """Return scores of a model without a log-probability."""
    chances = success or [None] * len(values)
    return [
        Score(n, progress=value, success=chance)
        for n, (value, chance) in enumerate(zip(values, chances, strict=True), 1)
    ]


@pytest.mark.parametrize('name', LIVE)
def test_a_log_probability_is_normalized_and_judged(name: str) -> None:
    scores = [Score(n, log_prob=-20.0 + 2.0 * n) for n in range(1, 11)]
    progress, names, found = run(RewardOptions(name).start(), scores)
    assert names == {name} and found is not None
    assert all(math.isnan(p) or 0 <= p <= 1 for p in progress)


@pytest.mark.parametrize('name', LIVE)
def test_a_model_s_own_progress_is_published_as_it_is(name: str) -> None:
    """Whatever the normalization is, as it is meant for log-probabilities."""
    values = [0.1, 0.4, 0.2, 0.9, 1.0, 1.0, 1.0]
    assert run(RewardOptions(name).start(), own(values)) == (values, {NORMALIZATION_MODEL}, None)


def test_success_of_a_model_that_gives_its_probability() -> None:
    values, chances = [0.5] * 8, [0.001] * 3 + [0.99] * 5
    _, _, found = run(RewardOptions(success_threshold=-0.1).start(), own(values, chances))
    assert found == 7  # a window of three, held twice
    _, _, found = run(RewardOptions(success_threshold=-0.1).start(), own(values, [0.0] * 8))
    assert found is None


def test_what_success_was_judged_by() -> None:
    own_success = own([0.5] * 8, [0.99] * 8)
    log_probs = [Score(n, log_prob=-1.0, success=0.1) for n in range(1, 9)]
    calibration = calibration_of(0.2, 0.6)
    for scores, live, evidence, value in (
        (log_probs, RewardOptions().start(), 'log_prob', -1.0),
        (own_success, RewardOptions().start(), 'success', math.log(0.99)),
        (own_success, RewardOptions('calibrated').start(calibration), 'progress', 0.5),
    ):
        live.detector.threshold = min(live.detector.threshold, 0.45)
        (found,) = [step.success for step in map(live.update, scores) if step.success]
        assert found.evidence == evidence and found.score == pytest.approx(value)


def test_a_threshold_without_evidence() -> None:
    """A default is nobody's choice, and a calibration judges by progress."""
    RewardOptions().check_success('toy')
    RewardOptions(success_threshold=-1.0).check_success('toy', calibration_of(0.2, 0.6))
    with pytest.raises(ValueError, match=r'success_threshold is -1\.0, and toy cannot tell'):
        RewardOptions(success_threshold=-1.0).check_success('toy')


def test_a_calibration_of_a_model_s_own_progress() -> None:
    """It maps the progress and judges success by it, with either, both or no other option."""
    calibration = calibration_of(0.2, 0.6)
    values = list(np.linspace(0.2, 0.6, 20))
    progress, names, found = run(RewardOptions('calibrated').start(calibration), own(values))
    assert names == {'calibrated'} and progress[-1] > 0.9 and found is not None
    # Not normalized by it, but still judged: its threshold is one of progress
    progress, names, again = run(RewardOptions('fixed').start(calibration), own(values))
    assert names == {NORMALIZATION_MODEL} and progress == values and again == found
    # Nor by a probability of success, which has another unit
    _, _, again = run(RewardOptions('fixed').start(calibration), own(values, [0.5] * 20))
    assert again == found


def test_progress_that_is_published_as_it_is_keeps_its_bias() -> None:
    calibration = calibration_of(0.2, 0.6, creep=0.1)
    values = list(np.linspace(0.2, 0.6, 20))
    options = RewardOptions('fixed', length_bias='static')
    progress, _, found = run(options.start(calibration), own(values))
    assert progress == values and found is not None
    options = RewardOptions('calibrated', length_bias='static')
    mapped, _, again = run(options.start(calibration), own(values))
    assert again == found and mapped[-1] > 0.9


def test_a_calibrated_log_probability() -> None:
    calibration = calibration_of(-20.0, -8.0)
    scores = [Score(n, log_prob=v) for n, v in enumerate(np.linspace(-20, -8, 20).tolist(), 1)]
    for name in NORMALIZATIONS:
        _, names, found = run(RewardOptions(name).start(calibration), scores)
        assert names == {name} and found is not None
