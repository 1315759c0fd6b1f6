# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Forwards of transformers, which references are made of, leave no convolution to TF32."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from topreward_ros.scoring.engine.full_precision import full_precision
from topreward_ros.scoring.loading.checkpoint import Checkpoint
from topreward_ros.scoring.reward_models.topreward.recompute import RecomputeScorer

from .test_robometer import clip, one_folder, recompute, walk  # noqa: F401 - fixtures
from .test_streaming import TASKS, frames


def rounds() -> bool:
    """Whether cuDNN would round the inputs of a convolution."""
    cudnn: Any = torch.backends.cudnn
    return cudnn.conv.fp32_precision == 'tf32' if hasattr(cudnn, 'conv') else cudnn.allow_tf32


@pytest.fixture
def convolutions(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Of each convolution, whether it would round."""
    seen: list[bool] = []
    forward = torch.nn.Conv3d.forward

    def counted(self: torch.nn.Conv3d, values: torch.Tensor) -> torch.Tensor:
        seen.append(rounds())
        return forward(self, values)

    monkeypatch.setattr(torch.nn.Conv3d, 'forward', counted)
    return seen


def test_the_recompute_of_topreward(checkpoint: Checkpoint, convolutions: list[bool]) -> None:
    episode = RecomputeScorer(checkpoint).start(TASKS[0])
    episode.append(frames((64, 64), 1)[0], 0.0)
    episode.score()
    assert convolutions == [False]


def test_the_recompute_of_robometer(recompute: Any, convolutions: list[bool]) -> None:  # noqa: F811
    walk(recompute, clip((64, 64), 2), TASKS[0])
    assert convolutions and not any(convolutions)


def test_what_was_set_is_set_again() -> None:
    assert rounds(), "torch's default, or the tests above show nothing"
    with pytest.raises(KeyboardInterrupt), full_precision():
        assert not rounds()
        raise KeyboardInterrupt
    assert rounds() and torch.backends.cudnn.allow_tf32
