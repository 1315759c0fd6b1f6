# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What one episode's scores mean while it runs: progress, reward and success."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

from .calibration import Calibration, LengthBias
from .progress import Normalization, make_normalization
from .success import Success, SuccessDetector

NO_BIAS = LengthBias()


@dataclass(frozen=True)
class Step:
    """What the newest score adds; progress is NaN and reward 0 while progress cannot be told."""

    progress: float
    reward: float
    success: Success | None


class LiveReward:
    """Follows one episode at a time; uses nothing that has not happened yet.

    Progress and success are told from log P without the length bias.
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

    def update(self, log_prob: float, frames: int) -> Step:
        """Take the next log P(" True") [nat], of a prefix of so many frames; the reward is the
        progress gained since the last.
        """
        told = self.bias.corrected(log_prob, frames)
        progress = self.normalization.progress(told)
        gained = progress - self._last
        self._last = progress
        return Step(progress, 0.0 if math.isnan(gained) else gained, self.detector.update(told))


@dataclass(frozen=True)
class RewardOptions:
    """How log-probabilities are read, by the names of the node's parameters.

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
        """What follows one episode; ValueError where a calibration is needed and there is none."""
        normalized = partial(
            make_normalization, self.normalization, self.log_prob_low, self.log_prob_high
        )
        if calibration is None:
            if self.length_bias != 'none':
                raise ValueError(f'length_bias {self.length_bias} needs a calibration')
            detector = SuccessDetector(
                self.success_threshold, self.success_window, self.success_hold
            )
            return LiveReward(normalized(), detector)
        scale, bias = calibration.reading(self.length_bias)
        detector = SuccessDetector(scale.threshold, calibration.window, calibration.hold)
        return LiveReward(normalized((scale.points, scale.levels)), detector, bias)
