# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Scores as the fields of Progress and SuccessDetected, and back; for any kind of message class."""

from __future__ import annotations

import math
from typing import Any

from topreward_ros.reward.live import Step
from topreward_ros.reward.success import Success
from topreward_ros.scoring.score import Score


def common_fields(header: Any, episode: int, task: str, score: Score) -> dict[str, Any]:
    """The fields that both messages have; header is a std_msgs/Header."""
    return {'header': header, 'episode': episode, 'task': task, 'frames': score.frames}


def progress_fields(score: Score, step: Step, latency: float) -> dict[str, Any]:
    """The fields of a Progress besides the common ones; NaN for what the model does not say.

    latency [s] is NaN where no clock ran.
    """
    return {
        'log_prob': _number(score.log_prob),
        'log_prob_false': _number(score.log_prob_false),
        'progress': step.progress,
        'reward': step.reward,
        'normalization': step.normalization,
        'latency': latency,
    }


def success_fields(success: Success) -> dict[str, Any]:
    """The fields of a SuccessDetected besides the common ones."""
    return {'score': success.score, 'threshold': success.threshold}


def score_of(message: Any) -> Score | None:
    """The score that a Progress message carries: log P, else its progress; None for neither."""
    log_prob, progress = _absent(message.log_prob), _absent(message.progress)
    if log_prob is None and progress is None:
        return None
    return Score(
        frames=message.frames,
        log_prob=log_prob,
        log_prob_false=_absent(message.log_prob_false),
        progress=progress if log_prob is None else None,
    )


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _absent(value: float) -> float | None:
    return None if math.isnan(value) else value
