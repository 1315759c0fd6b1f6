# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What one episode's scores mean while it runs: progress, reward and success."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .progress import Normalization
from .success import Success, SuccessDetector


@dataclass(frozen=True)
class Step:
    """What the newest score adds; progress is NaN and reward 0 while progress cannot be told."""

    progress: float
    reward: float
    success: Success | None


class LiveReward:
    """Follows one episode at a time; uses nothing that has not happened yet."""

    def __init__(self, normalization: Normalization, detector: SuccessDetector) -> None:
        self.normalization = normalization
        self.detector = detector
        self.start()

    def start(self) -> None:
        """Begin an episode."""
        self.normalization.start()
        self.detector.start()
        self._last = math.nan

    def update(self, log_prob: float) -> Step:
        """Take the next log P(" True") [nat]; the reward is the progress gained since the last."""
        progress = self.normalization.progress(log_prob)
        gained = progress - self._last
        self._last = progress
        return Step(progress, 0.0 if math.isnan(gained) else gained, self.detector.update(log_prob))
