# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Convert scores to the fields of the messages, and back, for any ROS binding."""

from __future__ import annotations

import math
from typing import Any

from topreward_ros.reward.live import NORMALIZATION_MODEL, Step
from topreward_ros.reward.success import Success
from topreward_ros.reward.values import none_if_nan
from topreward_ros.scoring.score import Score


def common_fields(
    header: Any, episode: int, task: str, score: Score, reward_model: str
) -> dict[str, Any]:
    """Return the fields that all messages share; header is a std_msgs/Header."""
    return {
        'header': header,
        'episode': episode,
        'task': task,
        'frames': score.frames,
        'reward_model': reward_model,
    }


def progress_fields(score: Score, step: Step, latency: float) -> dict[str, Any]:
    """Return the other fields of a Progress; NaN for values that the model does not give.

    latency [s] is NaN where it was not measured.
    """
    return {
        'log_prob': _number(score.log_prob),
        'log_prob_false': _number(score.log_prob_false),
        'progress': step.progress,
        'success': _number(score.success),
        'part_names': list(score.parts),
        'parts': [float(value) for value in score.parts.values()],
        'reward': step.reward,
        'normalization': step.normalization,
        'latency': latency,
        'scene': int(step.scene),
    }


def success_fields(success: Success) -> dict[str, Any]:
    """Return the other fields of a SuccessDetected."""
    return {
        'score': success.score,
        'threshold': success.threshold,
        'evidence': success.evidence,
    }


def event_fields(event: str, progress: float, highest: float, seconds: float) -> dict[str, Any]:
    """Return the other fields of an Event; seconds [s] since the episode's first scored image."""
    return {'event': event, 'progress': progress, 'highest': highest, 'seconds': seconds}


def score_of(message: Any) -> Score | None:
    """Return the score in a Progress message: log P, else the model's own progress, or None.

    A message of an older version has no success and no parts.
    """
    log_prob, progress = none_if_nan(message.log_prob), None
    if log_prob is None and message.normalization == NORMALIZATION_MODEL:
        progress = none_if_nan(message.progress)
    if log_prob is None and progress is None:
        return None
    return Score(
        frames=message.frames,
        log_prob=log_prob,
        log_prob_false=none_if_nan(message.log_prob_false),
        progress=progress,
        success=none_if_nan(getattr(message, 'success', math.nan)),
        parts=_parts(message),
    )


def _parts(message: Any) -> dict[str, float]:
    names, values = getattr(message, 'part_names', ()), getattr(message, 'parts', ())
    pairs = zip(names, values, strict=False)  # a message of another publisher may have any
    return {name: float(value) for name, value in pairs if not math.isnan(value)}


def _number(value: float | None) -> float:
    return math.nan if value is None else value
