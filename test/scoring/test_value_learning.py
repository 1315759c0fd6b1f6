# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
import torch

from topreward_ros.errors import FrameError, TaskError
from topreward_ros.scoring.engine.chat_model import ChatModel
from topreward_ros.scoring.engine.geometry import Geometry
from topreward_ros.scoring.loading.checkpoint import Checkpoint
from topreward_ros.scoring.reward_models.generative_value_learning.percentages import (
    parse_percentages,
)
from topreward_ros.scoring.reward_models.generative_value_learning.values import generative_values

TASK = 'Put the block into the cup.'
NAN = float('nan')


@pytest.mark.parametrize(
    ('text', 'values'),
    [
        (
            'Frame 1: Frame Description: The arm is up, Task Completion Percentages: 40%\n'
            'Frame 2: Frame Description: It holds 2 of 3 blocks, Task Completion Percentages: 75%',
            [40, 75],
        ),
        ('Frame 1: 10% Frame 2: 20%.', [10, 20]),
        ('frame 2: 5 %\nframe 1: 95 percent', [95, 5]),
        ('**Frame 1:** Task completion percentage: **12.5%**\n**Frame 2**: 0%', [12.5, 0]),
        ('- Frame #1 - 33%\n- Frame #2 – 66,5 %', [33, 66.5]),
        ('(Frame 1) 7%\n[Frame 2] 8%', [7, 8]),
        ('Frame 1: Task Completion Percentages:{45}%\nFrame 2: percentage is about 46', [45, 46]),
        ('| Frame 1: | 10% |\n| Frame 2: | 100% |', [10, 100]),
        ('1. Frame 1: 20%\n2. Frame 2: 30%', [20, 30]),  # a list with numbers of its own
        ('Frame １：５０％\nFrame 2: 60%', [50, 60]),
        ('Frame 1: 30%\nFrame 1: 30%\nFrame 2: 4%', [30, 4]),
        ('Frame 1: 30%\nFrame 1: 40%\nFrame 2: 4%', [NAN, 4]),  # contradictory
        ('Frame 1: 150%\nFrame 2: -5%', [NAN, NAN]),
        ('Frame 1: 1000000%\nFrame 2: 1,000%', [NAN, NAN]),
        ('Frame 1: percentage: 20% to 40%\nFrame 2: 20-40%', [NAN, NAN]),
        ('Frame 1: between 20% and 40%\nFrame 2: percentage: 20 - 40%', [NAN, NAN]),
        ('Frame 1: percentage: 0.45\nFrame 2: Percentage: 45', [NAN, 45]),  # 0.45 of what?
        ('Frame 1: percentage: 45.5\nFrame 2: percentage: 1.0', [45.5, NAN]),
        ('Frame 1: 1e2%\nFrame 2: x45%', [NAN, NAN]),
        ('Frame 1: percentage: nan%\nFrame 2: percentage: inf', [NAN, NAN]),
        ('Frame 1: like Frame 2: open, percentage: 30%\nFrame 2: 10%', [30, 10]),
        ('Frame 3: 30%\nFrame 0: 10%\nFrame 99999: 1%\nFrame 2: 5%', [NAN, 5]),
        ('10% 20%', [NAN, NAN]),
        ('', [NAN, NAN]),
        ('I cannot help with that.', [NAN, NAN]),
        ('Frame 1: ' + '9' * 5000 + '%\nFrame 2: ' + ' ' * 5000 + '7%', [NAN, 7]),
    ],
)
def test_percentages(text: str, values: list[float]) -> None:
    np.testing.assert_array_equal(parse_percentages(text, 2), values)


def test_a_long_hostile_text_is_parsed_quickly() -> None:
    pieces = ('Frame 1: ', 'percentage ', '"*_', 'Frame', '9,', '%', '- ', '\n', '1 - ', '9', '7% ')
    for piece in pieces:
        parse_percentages('Frame 2: ' + piece * 20_000, 20)


class PerfectModel:
    """Replaces the model: the gray level of a frame is its percentage."""

    geometry = Geometry()

    def __init__(self, left_out: int = 0) -> None:
        self.left_out = left_out
        self.shown: list[int] = []
        self.texts: list[str] = []
        self.limit = 0

    def generate(self, parts, limit: int) -> str:
        first, *self.shown = [int(p[0, 0, 0]) for p in parts if isinstance(p, torch.Tensor)]
        self.texts = [part for part in parts if isinstance(part, str)]
        self.limit = limit
        assert first == 0
        lines = [f'Frame {k}: a color, percentage: {v}%' for k, v in enumerate(self.shown, 1)]
        return '\n'.join(lines[self.left_out :])


def clip(count: int) -> list[np.ndarray]:
    return [np.full((64, 64, 3), 100 * k // (count - 1), np.uint8) for k in range(count)]


def test_a_perfect_model_orders_the_frames() -> None:
    model = PerfectModel()
    result = generative_values(model, clip(101), TASK, seed=3)
    assert len(result.values) == len(result.indices) == 20 and result.unparsable == 0
    assert result.indices[0] == 0 and result.indices[-1] == 100
    np.testing.assert_allclose(result.values, result.indices / 100)
    assert model.shown != sorted(model.shown), 'not shuffled'
    assert TASK in model.texts[0] and model.limit > 19 * 20
    again = PerfectModel()
    generative_values(again, clip(101), TASK, seed=3)
    assert again.shown == model.shown
    generative_values(again, clip(101), TASK, seed=4)
    assert again.shown != model.shown


def test_missing_values_are_counted() -> None:
    model = PerfectModel(left_out=4)
    result = generative_values(model, clip(50), TASK, count=10)
    assert result.unparsable == 4 == np.isnan(result.values).sum()
    given = ~np.isnan(result.values)
    np.testing.assert_allclose(
        result.values[given], [clip(50)[k][0, 0, 0] / 100 for k in result.indices[given]]
    )
    missing = sorted(model.shown[:4])
    assert [clip(50)[k][0, 0, 0] for k in result.indices[~given]] == missing


def test_a_short_clip_is_taken_whole() -> None:
    result = generative_values(PerfectModel(), clip(5), TASK)
    assert result.indices.tolist() == [0, 1, 2, 3, 4]


def test_a_random_model_gives_unparsable_answers(checkpoint: Checkpoint) -> None:
    frames = [np.random.default_rng(k).integers(0, 256, (70, 90, 3), np.uint8) for k in range(6)]
    result = generative_values(ChatModel(checkpoint), frames, TASK, tokens_per_frame=4)
    assert result.unparsable == 5 and result.values[0] == 0
    assert isinstance(result.text, str) and result.text


def test_clips_that_cannot_be_asked_about() -> None:
    for frames, count in ((clip(2)[:1], 20), ([], 20), (clip(9), 1)):
        with pytest.raises(ValueError, match='2 or more'):
            generative_values(PerfectModel(), frames, TASK, count)
    with pytest.raises(TaskError):
        generative_values(PerfectModel(), clip(3), ' ')
    with pytest.raises(FrameError):
        generative_values(PerfectModel(), [*clip(3), np.zeros((3, 3))], TASK)
