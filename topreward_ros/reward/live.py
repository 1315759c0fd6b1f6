# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Progress, reward and success of an episode while it runs."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Protocol

from .calibration import DIFFERENCE, TRUE, Calibration, LengthBias
from .progress import CalibratedNormalization, Normalization, make_normalization
from .success import (
    EVIDENCE_DIFFERENCE,
    EVIDENCE_LOG_PROB,
    EVIDENCE_PROGRESS,
    EVIDENCE_SUCCESS,
    HOLD,
    WINDOW,
    Scene,
    Success,
    SuccessDetector,
)

NO_BIAS = LengthBias()
NORMALIZATION_MODEL = 'model'  # of a progress that the model provides itself


class ScoreReading(Protocol):
    """The fields of a score that are read, for a prefix of `frames` frames.

    value: log P(" True") [nat], or the model's own progress where log_prob is None. evidence [nat]:
    the value that success is judged by; None where the model provides none.
    """

    @property
    def frames(self) -> int: ...

    @property
    def log_prob(self) -> float | None: ...

    @property
    def log_prob_false(self) -> float | None: ...

    @property
    def value(self) -> float: ...

    @property
    def evidence(self) -> float | None: ...


@dataclass(frozen=True)
class Step:
    """Result of the newest score; progress is NaN and reward 0 while progress is unknown.

    evidence: what success was judged by, in its unit; None where the score has none.
    """

    progress: float
    reward: float
    success: Success | None
    normalization: str
    scene: Scene = Scene.UNKNOWN
    evidence: float | None = None


class LiveReward:
    """Computes progress, reward and success of one episode at a time, from past scores only.

    Log-probabilities are normalized to progress. A model's own progress is used as it is, unless
    the normalization is a calibrated one.

    The length bias is subtracted from scores first. The detector gets them: log P, or with
    is_calibrated the model's own progress, whose threshold a calibration provides. Without, it gets
    the model's own probability of success, where there is one.

    value is which of `calibration.VALUES` is read of a score; `update` raises ValueError where the
    score does not have it.
    """

    def __init__(
        self,
        normalization: Normalization,
        detector: SuccessDetector,
        bias: LengthBias = NO_BIAS,
        is_calibrated: bool = False,
        value: str = TRUE,
    ) -> None:
        self.normalization = normalization
        self.detector = detector
        self.bias = bias
        self.is_calibrated = is_calibrated
        self.value = value
        self.start()

    def start(self) -> None:
        """Start an episode."""
        self.normalization.start()
        self.detector.start()
        self._last = math.nan

    def update(self, score: ScoreReading) -> Step:
        """Process the next score; the reward is the progress gained since the previous one."""
        value = self.bias.corrected(self._read(score), score.frames)
        has_log_prob = score.log_prob is not None
        if has_log_prob or isinstance(self.normalization, CalibratedNormalization):
            progress, name = self.normalization.progress(value), self.normalization.name
        else:
            progress, name = score.value, NORMALIZATION_MODEL
        kind = EVIDENCE_LOG_PROB if has_log_prob else EVIDENCE_SUCCESS
        if self.is_calibrated and not has_log_prob:
            kind = EVIDENCE_PROGRESS
        if self.value == DIFFERENCE:
            kind = EVIDENCE_DIFFERENCE
        evidence = score.evidence if kind == EVIDENCE_SUCCESS else value
        gained = progress - self._last
        self._last = progress
        success = None if evidence is None else self.detector.update(evidence)
        success = success and replace(success, evidence=kind)
        reward = 0.0 if math.isnan(gained) else gained
        return Step(progress, reward, success, name, self.detector.scene, evidence)

    def _read(self, score: ScoreReading) -> float:
        if self.value == TRUE:
            return score.value
        if score.log_prob is None or score.log_prob_false is None:
            raise ValueError(
                'the calibration is of log P("True") - log P("False"), and a score lacks one of '
                'them: calibrate with this model'
            )
        return score.log_prob - score.log_prob_false


@dataclass(frozen=True)
class RewardOptions:
    """How scores become progress and success; the names are those of the node's parameters.

    A calibration provides the scale for `normalization` calibrated, and its success rule replaces
    the three values here.
    """

    normalization: str = 'fixed'
    log_prob_low: float = -25.0
    log_prob_high: float = -5.0
    length_bias: str = 'none'
    success_threshold: float = -5.0
    success_window: int = WINDOW
    success_hold: int = HOLD

    def start(
        self, calibration: Calibration | None = None, from_unfinished: bool = False
    ) -> LiveReward:
        """Return a live reward; ValueError if a required calibration is missing.

        from_unfinished is that of `SuccessDetector`: for episodes that follow a reset, whereas a
        recording may begin anywhere.
        """
        if calibration is None:
            if self.length_bias != 'none':
                raise ValueError(f'length_bias is {self.length_bias}, which needs a calibration')
            detector = SuccessDetector(
                self.success_threshold, self.success_window, self.success_hold, from_unfinished
            )
            return LiveReward(self._normalization(), detector)
        scale, bias = calibration.reading(self.length_bias)
        if calibration.value != TRUE and self.normalization != CalibratedNormalization.name:
            raise ValueError(
                f'normalization is {self.normalization}, and the calibration is of log P("True") - '
                'log P("False"), which only calibrated reads: set normalization to calibrated'
            )
        detector = SuccessDetector(
            scale.threshold, calibration.window, calibration.hold, from_unfinished
        )
        normalization = self._normalization(scale.points, scale.levels)
        return LiveReward(
            normalization, detector, bias, is_calibrated=True, value=calibration.value
        )

    def check_success(self, reward_model: str, calibration: Calibration | None = None) -> None:
        """Raise ValueError for a threshold of this reward model, which cannot tell success.

        The default is no choice of anybody, and a calibration brings its own threshold.
        """
        is_chosen = self.success_threshold != RewardOptions.success_threshold
        if calibration is None and is_chosen:
            raise ValueError(
                f'success_threshold is {self.success_threshold}, and {reward_model} cannot tell '
                'success: leave it out, or calibrate, which judges by progress'
            )

    def _normalization(
        self, points: tuple[float, ...] = (), levels: tuple[float, ...] = ()
    ) -> Normalization:
        return make_normalization(
            self.normalization, self.log_prob_low, self.log_prob_high, (points, levels)
        )
