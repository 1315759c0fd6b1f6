# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Scores of every prefix of a clip from one pass over its video, for files.

The full blocks are prefilled once, in chunks. Each prefix adds a short branch: the question, after
the doubled last frame where the length is odd. Branches run in batches on top of the prefix cache
and are truncated afterwards. The scores equal those of each prefix scored separately.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

import numpy as np
import torch

from topreward_ros.errors import ModelError

from ...engine.prefix_cache import Branch, PrefixCache, prefix_cache
from ...engine.qwen3_vl import Engine
from ...engine.video import Video, doubled
from ...score import Score
from .layout import PromptLayout, VideoPrompt

# Blocks and branch tokens per forward: bounds its memory.
BLOCKS_PER_PASS = 8
TOKENS_PER_PASS = 1024


def one_pass(
    engine: Engine,
    layout: PromptLayout,
    clip: Iterable[tuple[np.ndarray, float]],
    tasks: Sequence[str],
    lengths: Collection[int] | None,
) -> Iterator[tuple[Score, ...]]:
    """Score the prefixes of these lengths, as `Scorer.curve`.

    Raises ModelError if the device runs out of memory.
    """
    try:
        with prefix_cache(engine) as prefix:
            yield from _Curve(engine, layout, tasks, lengths, prefix).scores(clip)
    except torch.cuda.OutOfMemoryError as error:
        raise ModelError(
            f'{engine.device} has no memory for this clip: lower --max-frames or --max-pixels, or '
            'use a smaller or quantized model'
        ) from error


class _Curve:
    """The state of one clip's pass through the model."""

    def __init__(
        self,
        engine: Engine,
        layout: PromptLayout,
        tasks: Sequence[str],
        lengths: Collection[int] | None,
        prefix: PrefixCache,
    ) -> None:
        self._engine = engine
        self._layout = layout
        self._tasks = tasks
        self._lengths = None if lengths is None else set(lengths)
        self._prefix = prefix
        self._prompt = VideoPrompt(layout, tasks)
        self._video = Video(engine.geometry)
        self._frames = 0  # length of the newest prefix

    @torch.inference_mode()
    def scores(self, clip: Iterable[tuple[np.ndarray, float]]) -> Iterator[tuple[Score, ...]]:
        last = None if self._lengths is None else max(self._lengths, default=0)
        for count, (frame, time) in enumerate(clip, start=1):
            if last is not None and count > last:
                break
            self._video.append(frame, time)
            if len(self._video.blocks) == BLOCKS_PER_PASS:
                yield from self._run()
        yield from self._run()

    def _run(self) -> Iterator[tuple[Score, ...]]:
        """Prefill the pending blocks, and score the prefixes that end in them."""
        blocks, unpaired = self._video.take_blocks()
        if not blocks and unpaired is None:
            return
        grid = self._video.grid
        segments = self._prompt.extend([], grid)
        ending: list[tuple[int, Branch]] = []

        def end(branch: Branch) -> None:
            self._frames += 1
            if self._lengths is None or self._frames in self._lengths:
                ending.append((self._frames, branch))

        for block in blocks:
            end(self._prompt.branch(doubled(block.frames[0], block.times[0]), grid))
            segments += self._prompt.extend([block], grid)
            end(self._prompt.branch(None, grid))
        if unpaired is not None:
            end(self._prompt.branch(unpaired, grid))
        if segments:
            self._prefix.extend(segments)
        for group in _groups(ending):
            yield from self._score(group)

    def _score(self, ending: Sequence[tuple[int, Branch]]) -> Iterator[tuple[Score, ...]]:
        hidden = self._prefix.forward([], [branch for _, branch in ending])
        answers, score = self._layout.answers, self._layout.question.score
        log_probs = self._engine.log_probs(hidden, answers).view(-1, len(self._tasks), len(answers))
        for (frames, _), row in zip(ending, log_probs.tolist(), strict=True):
            yield tuple(score(frames, values) for values in row)


def _groups(ending: Iterable[tuple[int, Branch]]) -> Iterator[list[tuple[int, Branch]]]:
    """Group branches, in order, so that a group has at most TOKENS_PER_PASS tokens."""
    group: list[tuple[int, Branch]] = []
    for frames, branch in ending:
        tokens = sum(other.tokens for _, other in group)
        if group and tokens + branch.tokens > TOKENS_PER_PASS:
            yield group
            group = []
        group.append((frames, branch))
    if group:
        yield group
