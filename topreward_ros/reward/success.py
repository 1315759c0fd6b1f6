# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""When a task is judged complete."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True)
class Success:
    """A detection: the mean log P(" True") [nat] that reached the threshold."""

    score: float
    threshold: float


class SuccessDetector:
    """The mean of the last `window` log-probabilities over `threshold`, `hold` times in a row.

    The mean of the last three is the paper's rule (arXiv 2602.19313); the hold guards
    against one lucky score. Says so once per episode.
    """

    def __init__(self, threshold: float, window: int = 3, hold: int = 2) -> None:
        if not math.isfinite(threshold):
            raise ValueError(f'the threshold is {threshold} nat; expected a finite number')
        if window < 1 or hold < 1:
            raise ValueError(f'window is {window} and hold is {hold}; expected 1 or more')
        self.threshold = threshold
        self.window = window
        self.hold = hold
        self.start()

    def start(self) -> None:
        """Begin an episode."""
        self._recent: deque[float] = deque(maxlen=self.window)
        self._held = 0
        self._detected = False

    def update(self, log_prob: float) -> Success | None:
        """Take the next log-probability [nat]; the detection, at the score that makes it one."""
        self._recent.append(log_prob)
        mean = sum(self._recent) / len(self._recent)
        over = len(self._recent) == self.window and mean >= self.threshold
        self._held = self._held + 1 if over else 0
        if self._detected or self._held < self.hold:
            return None
        self._detected = True
        return Success(mean, self.threshold)
