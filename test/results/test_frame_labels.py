# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The labels of an episode's frames."""

from __future__ import annotations

import numpy as np
import pytest

from topreward_ros.commands.label.command import STEPS
from topreward_ros.results.frame_labels import (
    BY_MODEL,
    BY_NOBODY,
    BY_PERSON,
    COLUMNS,
    STEP_REWARDS,
    RewardRule,
    frame_labels,
    verdict_of,
)

PROGRESS = np.array([0.0, 0.25, 0.5, 1.0, 1.0])


def test_by_hand() -> None:
    rule = RewardRule(success=2.0, discount=0.5)
    labels = frame_labels(PROGRESS, verdict_of(True, 3, None), rule)
    # Success is seen in frame 3, so the step from frame 2 succeeds
    assert labels['next.reward'].tolist() == [0.25, 0.25, 2.5, 0, 0]
    assert labels['returns'].tolist() == [1.0, 1.5, 2.5, 0, 0]
    assert labels['next.success'].tolist() == [False, False, True, True, True]
    assert labels['success'].all() and (labels['success_origin'] == BY_MODEL).all()
    assert {name: str(values.dtype) for name, values in labels.items()} == COLUMNS


def test_a_person_wins() -> None:
    rule = RewardRule()
    failed = frame_labels(PROGRESS, verdict_of(True, 3, 'failure'), rule)
    assert not failed['success'].any() and not failed['next.success'].any()
    assert failed['next.reward'].tolist() == [0.25, 0.25, 0.5, 0, 0]
    assert (failed['success_origin'] == BY_PERSON).all()
    done = frame_labels(PROGRESS, verdict_of(False, None, 'success'), rule)
    assert done['next.success'].tolist() == [False] * 4 + [True]
    assert done['next.reward'].tolist() == [0.25, 0.25, 0.5, 0, 1]
    unknown = frame_labels(PROGRESS, verdict_of(True, 3, 'undecided'), rule)
    assert not unknown['success'].any() and (unknown['success_origin'] == BY_NOBODY).all()
    agreed = frame_labels(PROGRESS, verdict_of(True, 3, 'success'), rule)
    assert agreed['next.success'].tolist() == [False, False, True, True, True]


@pytest.mark.parametrize('steps', STEP_REWARDS)
def test_an_episode_of_one_frame(steps: str) -> None:
    labels = frame_labels(np.array([0.5]), verdict_of(True, 0, None), RewardRule(steps))
    assert labels['next.reward'].tolist() == [1] == labels['returns'].tolist()
    assert labels['next.success'].tolist() == [True]


def test_other_rewards() -> None:
    failed = verdict_of(False, None, None)
    assert frame_labels(PROGRESS, failed, RewardRule('none'))['next.reward'].tolist() == [0] * 5
    shaped = frame_labels(PROGRESS, failed, RewardRule('shaped', discount=0.5))['next.reward']
    assert shaped.tolist() == [0.125, 0, 0, -0.5, 0]
    dense = frame_labels(PROGRESS, failed, RewardRule('dense'))['next.reward']
    assert dense.tolist() == [2, 2, 2, 2, 0]


def test_the_command_offers_all_of_them() -> None:
    assert set(STEPS) == set(STEP_REWARDS)


@pytest.mark.parametrize(
    ('values', 'reason'),
    [
        ({'steps': 'sum'}, 'the reward is .sum.; expected one of gained'),
        ({'discount': 1.01}, 'expected 0 to 1'),
        ({'discount': np.nan}, 'expected 0 to 1'),
        ({'success': np.inf}, 'expected a finite number'),
    ],
)
def test_rules_that_are_none(values: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        RewardRule(**values)  # type: ignore[arg-type]
