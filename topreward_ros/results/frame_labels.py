# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The labels of every frame of an episode: success, progress, reward and return."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from topreward_ros.reward.values import (
    dense_rewards,
    differences,
    discounted_values,
    shaped_rewards,
)

SUCCESS, FAILURE, UNDECIDED = VERDICTS = ('success', 'failure', 'undecided')
# Values of the column success_origin
BY_MODEL, BY_PERSON, BY_NOBODY = 0, 1, 2

PROGRESS, REWARD, RETURNS = 'progress', 'next.reward', 'returns'
NEXT_SUCCESS, EPISODE_SUCCESS, ORIGIN = 'next.success', 'success', 'success_origin'
# The dtype of each column, as in LeRobot's info.json; every one has the shape (1,)
COLUMNS: dict[str, str] = {
    PROGRESS: 'float32',
    REWARD: 'float32',
    RETURNS: 'float32',
    NEXT_SUCCESS: 'bool',
    EPISODE_SUCCESS: 'bool',
    ORIGIN: 'int64',
}

# The reward of each step by the progress (n,) and the discount, (n - 1,)
STEP_REWARDS: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    'gained': lambda progress, _: differences(progress),
    'shaped': shaped_rewards,
    'dense': lambda progress, _: dense_rewards(progress),
    'none': lambda progress, _: np.zeros(max(len(progress) - 1, 0)),
}


@dataclass(frozen=True)
class RewardRule:
    """What reward a step has: one of STEP_REWARDS, and `success` for the one that succeeds.

    discount, per frame, is that of the returns. Raises ValueError for anything else.
    """

    steps: str = 'gained'
    success: float = 1.0
    discount: float = 0.99

    def __post_init__(self) -> None:
        if self.steps not in STEP_REWARDS:
            raise ValueError(
                f'the reward is {self.steps!r}; expected one of {", ".join(STEP_REWARDS)}'
            )
        if not 0 <= self.discount <= 1:
            raise ValueError(f'the discount is {self.discount}; expected 0 to 1')
        if not np.isfinite(self.success):
            raise ValueError(f'the reward of success is {self.success}; expected a finite number')


@dataclass(frozen=True)
class Verdict:
    """Whether an episode is a success, and by whom.

    reached: the number of the frame at which success was detected; None where it was not, and
    success then is the end of the episode, as in LeRobot's own recordings.
    """

    verdict: str
    origin: int
    reached: int | None = None


def verdict_of(is_success: bool, reached: int | None, override: str | None) -> Verdict:
    """Return the verdict of the model, or that of a person, one of VERDICTS, which wins."""
    if override is None:
        return Verdict(SUCCESS if is_success else FAILURE, BY_MODEL, reached)
    return Verdict(override, BY_NOBODY if override == UNDECIDED else BY_PERSON, reached)


def frame_labels(
    progress: np.ndarray, verdict: Verdict, rule: RewardRule
) -> Mapping[str, np.ndarray]:
    """Return the values of COLUMNS for the n frames of an episode, each (n,).

    progress (n,), a number everywhere. What belongs to frame k is of the step from it to the next,
    so the last frame has the reward 0, or that of success. An undecided episode has no success.
    """
    count = len(progress)
    is_success = verdict.verdict == SUCCESS
    first = count - 1 if verdict.reached is None else max(verdict.reached - 1, 0)
    rewards = np.append(STEP_REWARDS[rule.steps](progress, rule.discount), 0.0)
    succeeds = np.arange(count) >= first if is_success else np.zeros(count, dtype=bool)
    if is_success:
        rewards[first] += rule.success
    values = {
        PROGRESS: progress,
        REWARD: rewards,
        RETURNS: discounted_values(rewards, rule.discount),
        NEXT_SUCCESS: succeeds,
        EPISODE_SUCCESS: np.full(count, is_success),
        ORIGIN: np.full(count, verdict.origin),
    }
    return {name: values[name].astype(dtype) for name, dtype in COLUMNS.items()}
