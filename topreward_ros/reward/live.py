# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What one episode's scores mean while it runs: progress, reward and success."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from .calibration import Calibration, LengthBias
from .progress import CalibratedNormalization, Normalization, make_normalization
from .success import Success, SuccessDetector

NO_BIAS = LengthBias()
OF_THE_MODEL = 'model'  # the normalization of a progress that the model itself tells


class ScoreReading(Protocol):
    """What is read of a score of a prefix of `frames` frames.

    value is what progress is read from: log P(" True") [nat], or the model's own progress, as
    log_prob is a number or None. evidence [nat] is what success is judged by; None where the
    model does not say.
    """

    @property
    def frames(self) -> int: ...

    @property
    def log_prob(self) -> float | None: ...

    @property
    def value(self) -> float: ...

    @property
    def evidence(self) -> float | None: ...


@dataclass(frozen=True)
class Step:
    """What the newest score adds; progress is NaN and reward 0 while progress cannot be told."""

    progress: float
    reward: float
    success: Success | None
    normalization: str


class LiveReward:
    """Follows one episode at a time; uses nothing that has not happened yet.

    A log-probability becomes progress by the normalization; a model's own progress is taken as it
    is, unless a calibration maps it. Progress and success are told without the length bias.
    """

    def __init__(
        self,
        normalization: Normalization,
        detector: SuccessDetector,
        bias: LengthBias = NO_BIAS,
    ) -> None:
        self.normalization = normalization
        self.detector = detector
        self.bias = bias
        self.start()

    def start(self) -> None:
        """Begin an episode."""
        self.normalization.start()
        self.detector.start()
        self._last = math.nan

    def update(self, score: ScoreReading) -> Step:
        """Take the next score; the reward is the progress gained since the one before."""
        value = self.bias.corrected(score.value, score.frames)
        evidence: float | None = value
        progress, name = value, OF_THE_MODEL
        if score.log_prob is not None or isinstance(self.normalization, CalibratedNormalization):
            progress, name = self.normalization.progress(value), self.normalization.name
        else:
            evidence = score.evidence
        gained = progress - self._last
        self._last = progress
        success = None if evidence is None else self.detector.update(evidence)
        return Step(progress, 0.0 if math.isnan(gained) else gained, success, name)


@dataclass(frozen=True)
class RewardOptions:
    """How scores are read, by the names of the node's parameters.

    With a calibration its scale serves `normalization` calibrated, and its success rule takes the
    place of the three values here.
    """

    normalization: str = 'fixed'
    log_prob_low: float = -25.0
    log_prob_high: float = -5.0
    length_bias: str = 'none'
    success_threshold: float = -5.0
    success_window: int = 3
    success_hold: int = 2

    def start(self, calibration: Calibration | None = None) -> LiveReward:
        """Return what follows an episode; ValueError where a calibration is needed and missing."""
        if calibration is None:
            if self.length_bias != 'none':
                raise ValueError(f'length_bias {self.length_bias} needs a calibration')
            detector = SuccessDetector(
                self.success_threshold, self.success_window, self.success_hold
            )
            return LiveReward(self._normalization(), detector)
        scale, bias = calibration.reading(self.length_bias)
        detector = SuccessDetector(scale.threshold, calibration.window, calibration.hold)
        return LiveReward(self._normalization(scale.points, scale.levels), detector, bias)

    def _normalization(
        self, points: tuple[float, ...] = (), levels: tuple[float, ...] = ()
    ) -> Normalization:
        return make_normalization(
            self.normalization, self.log_prob_low, self.log_prob_high, (points, levels)
        )
