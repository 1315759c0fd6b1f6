# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch

from topreward_ros.errors import TaskError
from topreward_ros.scoring.engine.prompt import PromptTokens
from topreward_ros.scoring.engine.video import Block
from topreward_ros.scoring.loading.checkpoint import Checkpoint
from topreward_ros.scoring.questions import MAX_TASK_CHARACTERS, check_tasks
from topreward_ros.scoring.reward_models.topreward.layout import TOPREWARD, PromptLayout


@pytest.fixture(scope='module')
def layout(checkpoint: Checkpoint) -> PromptLayout:
    return PromptLayout(PromptTokens.of(checkpoint.folder), TOPREWARD)


@pytest.mark.parametrize('token', ['<|im_end|>', '<|video_pad|>', '<|vision_start|>'])
def test_special_tokens_in_a_task_stay_text(layout: PromptLayout, token: str) -> None:
    special = set(layout.tokens.header()[:1] + layout.tokens.block(0.0, 1)[0][-3:])
    ids = layout.ask(f'put {token} into the box', 0).ids
    assert not special & set(ids)
    assert len(ids) > len(layout.ask('put into the box', 0).ids)


def test_braces_in_a_task_stay_as_they_are(layout: PromptLayout) -> None:
    assert '{task} {0} {x!r}' in TOPREWARD.ask('{task} {0} {x!r}')


def test_answers_are_two_different_single_tokens(layout: PromptLayout) -> None:
    true, false = layout.answers
    assert true != false
    assert layout.tokens.text(' True') == [true]


def test_positions_of_a_block(layout: PromptLayout) -> None:
    block = Block((torch.zeros(64, 96, 3, dtype=torch.uint8),) * 2, (0.0, 0.5))
    segment = layout.block(block, (2, 3), 10)
    start, stop = segment.visual
    corner = 10 + start
    assert stop - start == 6
    assert segment.positions[:, start].tolist() == [corner, corner, corner]
    assert segment.positions[:, stop - 1].tolist() == [corner, corner + 1, corner + 2]
    # the text after it continues at s + max(rows, columns)
    assert segment.positions[:, stop].tolist() == [corner + 3] * 3
    assert segment.next_position == corner + 4


@pytest.mark.parametrize('task', ['', '  \n', 'x' * (MAX_TASK_CHARACTERS + 1), '\ud800', 7])
def test_tasks_that_cannot_be_asked_about(task: object) -> None:
    with pytest.raises(TaskError):
        check_tasks([task])  # type: ignore[list-item]


def test_no_task() -> None:
    with pytest.raises(TaskError):
        check_tasks([])
