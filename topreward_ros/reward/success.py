# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Detection of success."""

from __future__ import annotations

import enum
import math
from collections import deque
from dataclasses import dataclass

WINDOW = 3  # scores to average, as in the paper
HOLD = 2  # times in a row that their mean must reach the threshold

# What success is judged by
EVIDENCE_LOG_PROB = 'log_prob'  # log P(" True") [nat]
EVIDENCE_DIFFERENCE = 'log_prob_difference'  # log P(" True") - log P(" False") [nat]
EVIDENCE_SUCCESS = 'success'  # log of the model's own probability of success [nat]
EVIDENCE_PROGRESS = 'progress'  # the model's own progress, at the threshold of a calibration


class Scene(enum.IntEnum):
    """How the scene looks by the success rule; the values are those of Progress.msg."""

    UNKNOWN = 0  # fewer scores than are judged, or not a number
    UNFINISHED = 1
    FINISHED = 2
    FINISHED_AT_START = 3  # since the start of the episode: no success


@dataclass(frozen=True)
class Success:
    """A detected success: the mean of the evidence that reached the threshold, in its unit."""

    score: float
    threshold: float
    evidence: str = EVIDENCE_LOG_PROB


class SuccessDetector:
    """Detects success when the mean of `window` log-probabilities reaches `threshold` [nat]
    `hold` times in a row, or that of other evidence in its own unit.

    The mean of the last three is the paper's rule (arXiv 2602.19313); the hold protects against a
    single high score. Success is reported once per episode.

    With from_unfinished, success counts only after a mean below the threshold: a scene that was not
    reset looks finished from the start, and nobody has succeeded in it. scene is the judgement of
    the newest score.
    """

    def __init__(
        self,
        threshold: float,
        window: int = WINDOW,
        hold: int = HOLD,
        from_unfinished: bool = False,
    ) -> None:
        if not math.isfinite(threshold):
            raise ValueError(f'the threshold is {threshold} nat; expected a finite number')
        for name, value in (('window', window), ('hold', hold)):
            if value < 1:
                raise ValueError(f'{name} is {value}; expected 1 or more')
        self.threshold = threshold
        self.window = window
        self.hold = hold
        self.from_unfinished = from_unfinished
        self.start()

    def start(self) -> None:
        """Start an episode."""
        self._recent: deque[float] = deque(maxlen=self.window)
        self._held = 0
        self._detected = False
        self._counts = not self.from_unfinished
        self.scene = Scene.UNKNOWN

    def update(self, log_prob: float) -> Success | None:
        """Process the next log-probability [nat]; return the success when it is detected."""
        self._recent.append(log_prob)
        mean = sum(self._recent) / len(self._recent)
        self.scene = self._judge(mean)
        self._held = self._held + 1 if self.scene is Scene.FINISHED else 0
        self._counts = self._counts or self.scene is Scene.UNFINISHED
        if self._held < self.hold:
            return None
        if not self._counts:
            self.scene = Scene.FINISHED_AT_START
        if self._detected or not self._counts:
            return None
        self._detected = True
        return Success(mean, self.threshold)

    def _judge(self, mean: float) -> Scene:
        if len(self._recent) < self.window or math.isnan(mean):
            return Scene.UNKNOWN
        return Scene.FINISHED if mean >= self.threshold else Scene.UNFINISHED
