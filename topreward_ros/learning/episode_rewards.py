# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The rewards of a whole episode at once, for learners that update between episodes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from topreward_ros.reward.calibration import Calibration
from topreward_ros.reward.live import RewardOptions
from topreward_ros.scoring.sampling import NANOSECONDS, Sampling, Verdict
from topreward_ros.scoring.score import Scorer

from .reward_wrapper import check_seconds, check_weight, potential

NO_OPTIONS, NO_SAMPLING = RewardOptions(), Sampling()


def episode_rewards(
    scorer: Scorer,
    task: str,
    pictures: Sequence[np.ndarray],
    *,
    seconds: float = 0.5,
    reward: RewardOptions = NO_OPTIONS,
    calibration: Calibration | None = None,
    sampling: Sampling = NO_SAMPLING,
    success_weight: float = 0.0,
) -> np.ndarray:
    """Return the rewards that `ScorerReward` gives to the steps of an episode, (n - 1,).

    pictures, uint8 RGB (H, W, 3): n, of the reset and after each step, `seconds` apart. They are
    scored as a clip, in one pass where the model has one (`Scorer.curve`), which costs less than
    picture by picture. The other options are those of `ScorerReward`.

    Raises ValueError for an episode without pictures, or one of which more than max_frames are due:
    frames would be dropped on the way, for which there is `ScorerReward`.
    """
    check_seconds(seconds)
    check_weight(success_weight)
    if not len(pictures):
        raise ValueError('an episode without pictures has no rewards; expected one of the reset')
    numbers, times = _due(len(pictures), seconds, sampling)
    live = reward.start(calibration, from_unfinished=True)
    clip = ((pictures[number], time) for number, time in zip(numbers, times, strict=True))
    rewards, known = np.zeros(len(pictures) - 1), math.nan
    for number, (score,) in zip(numbers, scorer.curve(clip, [task]), strict=True):
        probability = math.nan if score.success is None else score.success
        now = potential(live.update(score).progress, probability, success_weight)
        if math.isnan(now):
            continue
        if not math.isnan(known):
            rewards[number - 1] = now - known
        known = now
    return rewards


def _due(count: int, seconds: float, sampling: Sampling) -> tuple[list[int], list[float]]:
    """Return the numbers of the pictures that are due, and their times [s]."""
    window = sampling.window()
    numbers: list[int] = []
    times: list[float] = []
    for number in range(count):
        stamp = number * round(seconds * NANOSECONDS)
        if window.judge(stamp) is not Verdict.KEEP:
            window.skip(stamp)
            continue
        numbers.append(number)
        times.append(window.take(stamp).time)
        if len(numbers) > sampling.max_frames:
            raise ValueError(
                f'more than max_frames, {sampling.max_frames}, of the {count} pictures are due: '
                'raise max_frames or lower fps, or use ScorerReward, which drops frames on the way'
            )
    return numbers, times
