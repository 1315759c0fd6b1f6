# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Batches of LeRobot's as frames and tasks; needs no LeRobot."""

from __future__ import annotations

import importlib.util
import math
from typing import Any

import numpy as np
import pytest
import torch

from topreward_ros.errors import FrameError, TaskError

from .conftest import PLUGIN

# Its package needs LeRobot, the file does not
SPEC = importlib.util.spec_from_file_location(
    'lerobot_frames', PLUGIN / 'lerobot_reward_topreward' / 'frames.py'
)
assert SPEC is not None and SPEC.loader is not None
frames = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(frames)

KEY = 'observation.images.top'
PICTURES = torch.from_numpy(
    np.random.default_rng(1).integers(0, 256, (2, 5, 3, 6, 8), dtype=np.uint8)
)


def episodes(images: Any, **other: Any) -> list[tuple[int, np.ndarray]]:
    most = other.pop('max_frames', None)
    return list(frames.episodes_of({KEY: images, **other}, KEY, most))


@pytest.mark.parametrize('dtype', [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_every_level_comes_back(dtype: torch.dtype) -> None:
    levels = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16).repeat(1, 3, 1, 1)
    ((_, found),) = episodes((levels.float() / 255).to(dtype))
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, levels.permute(0, 2, 3, 1).numpy())


def test_all_forms_are_the_same_frames() -> None:
    expected = PICTURES.permute(0, 1, 3, 4, 2).numpy()
    forms = (
        PICTURES,
        PICTURES.float() / 255,
        PICTURES.permute(0, 1, 3, 4, 2),
        PICTURES.numpy(),
        (PICTURES.float() / 255).requires_grad_(),
    )
    for form in forms:
        found = episodes(form)
        assert [left_out for left_out, _ in found] == [0, 0]
        np.testing.assert_array_equal(np.stack([video for _, video in found]), expected)
        assert all(video.flags.c_contiguous for _, video in found)


def test_single_pictures_are_episodes_of_one_frame() -> None:
    found = episodes(PICTURES[:, 0])
    assert [video.shape for _, video in found] == [(1, 6, 8, 3)] * 2


def test_the_newest_are_taken_and_padding_does_not_count() -> None:
    expected = PICTURES.permute(0, 1, 3, 4, 2).numpy()
    padded = torch.tensor([[True, True, False, False, False], [False] * 5])
    (no, one), (two, other) = episodes(PICTURES, max_frames=3, **{KEY + '_is_pad': padded})
    assert (no, two) == (0, 2)
    np.testing.assert_array_equal(one, expected[0, 2:])
    np.testing.assert_array_equal(other, expected[1, 2:])
    # LeRobot gives a single picture's as (B,)
    found = episodes(PICTURES[:, 0], **{KEY + '_is_pad': torch.tensor([False, False])})
    assert len(found) == 2


@pytest.mark.parametrize(
    ('images', 'message'),
    [
        (PICTURES.to(torch.int64), 'torch.int64; expected uint8'),
        (PICTURES > 9, 'torch.bool'),
        (PICTURES.float(), r'values from \d+ to \d+; expected uint8, or floats in \[0, 1\]'),
        (PICTURES.float() / 255 - 0.5, 'values from -0.5'),
        (torch.full((1, 3, 4, 4), math.nan), 'values from nan'),
        (PICTURES[:, :, :1], r'has shape \(2, 5, 1, 6, 8\); expected \(B, C, H, W\)'),
        (PICTURES[0, 0], r'has shape \(3, 6, 8\)'),
        (PICTURES[:, :0], r'has shape \(2, 0, 3, 6, 8\)'),
        ([[1, 2]], 'is list; expected a tensor'),
    ],
)
def test_other_images_are_refused(images: Any, message: str) -> None:
    with pytest.raises(FrameError, match=message):
        episodes(images)


@pytest.mark.parametrize(
    ('padded', 'message'),
    [
        (torch.zeros(2, 4, dtype=torch.bool), r'has shape \(2, 4\); expected \(2, 5\)'),
        (torch.ones(2, 5, dtype=torch.bool), 'marks all of them'),
    ],
)
def test_padding_that_does_not_fit_is_refused(padded: torch.Tensor, message: str) -> None:
    with pytest.raises(FrameError, match=message):
        episodes(PICTURES, **{KEY + '_is_pad': padded})


def test_a_missing_image_names_those_there_are() -> None:
    with pytest.raises(FrameError, match=r"no 'observation.images.wrist'; its images are: .*top"):
        list(frames.episodes_of({KEY: PICTURES}, 'observation.images.wrist'))
    with pytest.raises(FrameError, match='its images are: none'):
        list(frames.episodes_of({}, KEY))


def test_tasks() -> None:
    assert frames.tasks_of({'task': 'a'}, 'task', 2) == ['a', 'a']
    assert frames.tasks_of({'task': ('a', 'b')}, 'task', 2, 'c') == ['a', 'b']
    assert frames.tasks_of({'task': ['a']}, 'task', 3) == ['a'] * 3
    assert frames.tasks_of({}, 'task', 2, 'c') == ['c', 'c']
    assert frames.tasks_of({'task': []}, 'task', 0) == []


@pytest.mark.parametrize(
    ('task', 'message'),
    [
        (None, "no 'task': add the task text, or set default_task"),
        (['a', 'b', 'c'], '3 texts; expected 2'),
        ([], '0 texts; expected 2'),
        ([1, 2], 'expected a text, or a list'),
        (torch.zeros(2), 'Tensor'),
        (['a', None], 'expected a text, or a list'),
    ],
)
def test_other_tasks_are_refused(task: Any, message: str) -> None:
    with pytest.raises(TaskError, match=message):
        frames.tasks_of({'task': task}, 'task', 2)
