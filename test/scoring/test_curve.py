# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Curves from one pass equal recomputed scores of every prefix, with negative controls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

from topreward_ros.errors import FrameError, ModelError, TaskError
from topreward_ros.scoring.clip_curve import anchors, curve
from topreward_ros.scoring.engine import prefix_cache
from topreward_ros.scoring.engine.attention import AttentionPart
from topreward_ros.scoring.engine.key_value_cache import KeyValueCache
from topreward_ros.scoring.engine.prefix_cache import Branch
from topreward_ros.scoring.engine.qwen3_vl import Engine
from topreward_ros.scoring.loading.checkpoint import Checkpoint
from topreward_ros.scoring.reward_models.topreward import curve as curves
from topreward_ros.scoring.reward_models.topreward.recompute import RecomputeScorer
from topreward_ros.scoring.reward_models.topreward.streaming import StreamingScorer
from topreward_ros.scoring.score import Score

TOLERANCE = 1e-4  # [nat], float32
TASKS = ('Put the block into the cup.', 'Remove the cap from the bottle.')


def clip(frames: int, size: tuple[int, int] = (64, 96)) -> tuple[list[np.ndarray], list[float]]:
    random = np.random.default_rng(frames)
    images = [random.integers(0, 256, (*size, 3), dtype=np.uint8) for _ in range(frames)]
    return images, [k * 0.4 for k in range(frames)]


def worst(one: list[tuple[Score, ...]], other: list[tuple[Score, ...]]) -> float:
    pairs = [pair for rows in zip(one, other, strict=True) for pair in zip(*rows, strict=True)]
    assert all(a.frames == b.frames for a, b in pairs)
    return max(
        max(abs(a.log_prob - b.log_prob), abs(a.log_prob_false - b.log_prob_false))
        for a, b in pairs
    )


@pytest.mark.parametrize('frames', [1, 2, 7, 16, 17, 37])
@pytest.mark.parametrize('tasks', [TASKS[:1], TASKS])
def test_dense_equals_recompute(checkpoint: Checkpoint, frames: int, tasks: tuple[str]) -> None:
    dense = curve(StreamingScorer(checkpoint), *clip(frames), tasks)
    sweep = curve(RecomputeScorer(checkpoint), *clip(frames), tasks)
    assert [row[0].frames for row in dense] == list(range(1, frames + 1))
    assert worst(dense, sweep) <= TOLERANCE


def test_anchored_is_part_of_dense(checkpoint: Checkpoint) -> None:
    scorer = StreamingScorer(checkpoint)
    dense, lengths = curve(scorer, *clip(40), TASKS), anchors(40)
    anchored = curve(scorer, *clip(40), TASKS, lengths)
    assert worst(anchored, [dense[n - 1] for n in lengths]) <= TOLERANCE


def test_anchors_are_evenly_spaced() -> None:
    assert anchors(15) == list(range(1, 16)) and anchors(3) == [1, 2, 3]
    assert anchors(64) == [1, 6, 10, 14, 19, 24, 28, 32, 37, 42, 46, 50, 55, 60, 64]
    assert anchors(64, 1) == [64], 'the whole of it, not its first frame'
    for wrong in ((0, 15), (0, 1), (5, 0)):
        with pytest.raises(ValueError, match='at least one'):
            anchors(*wrong)


def test_passes_are_bounded(checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """Smaller passes give the same scores, and none exceeds its limits."""
    scorer = StreamingScorer(checkpoint)
    whole = curve(scorer, *clip(21), TASKS)
    counts = []
    run = scorer.engine.run

    def counting(tokens: object, *arguments: object) -> torch.Tensor:
        counts.append(len(tokens.ids))
        return run(tokens, *arguments)

    monkeypatch.setattr(scorer.engine, 'run', counting)
    monkeypatch.setattr(curves, 'BLOCKS_PER_PASS', 2)
    monkeypatch.setattr(curves, 'TOKENS_PER_PASS', 150)
    assert worst(curve(scorer, *clip(21), TASKS), whole) <= TOLERANCE
    assert len(counts) > 20 and max(counts) <= 160


def test_frames_are_read_one_by_one(checkpoint: Checkpoint) -> None:
    """Only the frames of one pass are in memory, however long the clip is."""
    images, times = clip(80)
    alive: set[int] = set()
    most = 0

    class TrackedFrame(np.ndarray):
        def __del__(self) -> None:
            alive.discard(id(self))

    def tracked() -> Iterator[np.ndarray]:
        nonlocal most
        for image in images:
            view = image.copy().view(TrackedFrame)
            alive.add(id(view))
            most = max(most, len(alive))
            yield view
            del view

    curve(StreamingScorer(checkpoint), tracked(), iter(times), TASKS[0], [80])
    assert most <= 2 * curves.BLOCKS_PER_PASS + 3


@pytest.mark.parametrize('kind', [StreamingScorer, RecomputeScorer])
def test_frames_after_the_last_prefix_are_not_read(checkpoint: Checkpoint, kind: type) -> None:
    images, times = clip(6)
    broken = [*images[:4], np.zeros(3), images[5]]
    rows = curve(kind(checkpoint), broken, times, TASKS[0], [2, 4])
    assert [row[0].frames for row in rows] == [2, 4]


def test_bad_input_is_reported(checkpoint: Checkpoint) -> None:
    scorer = StreamingScorer(checkpoint)
    with pytest.raises(ValueError, match='no prefix of 9 frames'):
        curve(scorer, *clip(4), TASKS[0], [2, 9])
    with pytest.raises(ValueError, match='expected 1 or more'):
        curve(scorer, *clip(4), TASKS[0], [0])
    with pytest.raises(FrameError):
        curve(scorer, [np.zeros((64, 64, 3))], [0.0], TASKS[0])
    with pytest.raises(TaskError):
        curve(scorer, *clip(2), '  ')


def test_an_interrupted_clip_leaves_a_clean_cache(checkpoint: Checkpoint) -> None:
    scorer = StreamingScorer(checkpoint)
    images, times = clip(20)
    with pytest.raises(FrameError):
        curve(scorer, [*images[:18], np.zeros(3), images[19]], times, TASKS[0])
    sweep = curve(RecomputeScorer(checkpoint), *clip(3), TASKS[0])
    assert worst(curve(scorer, *clip(3), TASKS[0]), sweep) <= TOLERANCE


def test_nan_ends_the_curve(checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    scorer = StreamingScorer(checkpoint)
    monkeypatch.setattr(Engine, 'log_probs', lambda *_: torch.full((3, 2), float('nan')))
    with pytest.raises(ModelError, match='not a number'):
        curve(scorer, *clip(3), TASKS[0])
    assert not scorer.engine._free, 'a cache with NaN was kept for reuse'


# Negative controls: each breaks the curve in one place, which the comparison must detect.


def broken(checkpoint: Checkpoint) -> float:
    return worst(
        curve(StreamingScorer(checkpoint), *clip(6), TASKS),
        curve(RecomputeScorer(checkpoint), *clip(6), TASKS),
    )


def test_negative_control_branches_that_attend_to_the_whole_prefix(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    branch_parts = prefix_cache.branch_parts

    def rootless(
        past: int, new: int, branches: list[Branch]
    ) -> tuple[list[int], list[AttentionPart]]:
        rows, parts = branch_parts(past, new, branches)
        return rows, [replace(part, root=past) for part in parts]

    monkeypatch.setattr(prefix_cache, 'branch_parts', rootless)
    assert broken(checkpoint) > TOLERANCE


def test_negative_control_branches_that_stay(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(curves, 'BLOCKS_PER_PASS', 1)
    monkeypatch.setattr(curves, '_groups', lambda branches: ([b] for b in branches))
    monkeypatch.setattr(KeyValueCache, 'truncate', lambda *_: None)
    assert broken(checkpoint) > TOLERANCE


def test_no_memory_is_an_error_of_the_package(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*_: object) -> None:
        raise torch.cuda.OutOfMemoryError('no memory left')

    scorer = StreamingScorer(checkpoint)
    monkeypatch.setattr(scorer.engine, 'run', run)
    with pytest.raises(ModelError, match='max-pixels'):
        curve(scorer, [np.zeros((64, 64, 3), np.uint8)], [0.0], 'Do it.')
