# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Detection of success."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

WINDOW = 3  # scores to average, as in the paper
HOLD = 2  # times in a row that their mean must reach the threshold


@dataclass(frozen=True)
class Success:
    """A detected success: the mean log P(" True") [nat] that reached the threshold."""

    score: float
    threshold: float


class SuccessDetector:
    """Detects success when the mean of `window` log-probabilities reaches `threshold` [nat]
    `hold` times in a row.

    The mean of the last three is the paper's rule (arXiv 2602.19313); the hold protects against a
    single high score. Success is reported once per episode.
    """

    def __init__(self, threshold: float, window: int = WINDOW, hold: int = HOLD) -> None:
        if not math.isfinite(threshold):
            raise ValueError(f'the threshold is {threshold} nat; expected a finite number')
        for name, value in (('window', window), ('hold', hold)):
            if value < 1:
                raise ValueError(f'{name} is {value}; expected 1 or more')
        self.threshold = threshold
        self.window = window
        self.hold = hold
        self.start()

    def start(self) -> None:
        """Start an episode."""
        self._recent: deque[float] = deque(maxlen=self.window)
        self._held = 0
        self._detected = False

    def update(self, log_prob: float) -> Success | None:
        """Process the next log-probability [nat]; return the success when it is detected."""
        self._recent.append(log_prob)
        mean = sum(self._recent) / len(self._recent)
        over = len(self._recent) == self.window and mean >= self.threshold
        self._held = self._held + 1 if over else 0
        if self._detected or self._held < self.hold:
            return None
        self._detected = True
        return Success(mean, self.threshold)
