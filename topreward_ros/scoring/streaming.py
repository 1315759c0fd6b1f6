# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Exact scores at a constant cost per frame.

The video comes before the question and attention is causal, so a full block's share of the work
is done once and kept as keys and values. A score runs what is new, the last frame doubled if it
has no partner yet, and the question; then the last two are cut off again.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from .checkpoint import Checkpoint
from .engine import Engine
from .prompt import PromptLayout, Segment
from .questions import TOPREWARD, Question, check_tasks
from .score import Score
from .transformers_versions import cut_cache, new_cache
from .video import DEFAULT_MAX_PIXELS, Video

# Segments run at once when many wait, as after thinning: bounds the memory of one forward.
SEGMENTS_PER_FORWARD = 8


class StreamingScorer:
    """A Qwen3-VL model that scores a growing video with a key-value cache."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        question: Question = TOPREWARD,
        max_pixels: int = DEFAULT_MAX_PIXELS,
    ) -> None:
        """Raises ModelError for a model of another family: RecomputeScorer takes those."""
        self.engine = Engine(checkpoint.qwen3_vl(), checkpoint.geometry(max_pixels))
        self.layout = PromptLayout(checkpoint.prompt_tokens(), question)

    def start(self, tasks: str | Sequence[str]) -> StreamingEpisode:
        return StreamingEpisode(self.engine, self.layout, check_tasks(tasks))


class StreamingEpisode:
    """One attempt: its video, and a cache of the full blocks that have been run."""

    def __init__(self, engine: Engine, layout: PromptLayout, tasks: tuple[str, ...]) -> None:
        self.tasks = tasks
        self._engine = engine
        self._layout = layout
        self._video = Video(engine.geometry)
        self._forget()

    @property
    def frames(self) -> int:
        return self._video.frames

    @property
    def cached_tokens(self) -> int:
        """How many tokens the cache holds: those of full blocks, and of no question."""
        return int(self._cache.get_seq_length())

    def append(self, frame: np.ndarray, time: float) -> None:
        self._video.append(frame, time)

    def thin(self) -> None:
        """Drop every second block; the next score runs the rest anew, once."""
        self._video.thin()
        self._forget()

    def close(self) -> None:
        self._video = Video(self._engine.geometry)
        self._forget()

    def score(self) -> Score:
        return self.scores()[0]

    @torch.inference_mode()
    def scores(self) -> tuple[Score, ...]:
        if not self.frames:
            raise ValueError('an episode without frames cannot be scored: append one first')
        try:
            rows = self._run()
        except BaseException:  # a forward that stopped half-way leaves a cache that fits nothing
            self._forget()
            raise
        return tuple(Score(true, false, self.frames) for true, false in rows)

    def _forget(self) -> None:
        self._cache = new_cache(self._engine.text_config)
        self._cached_blocks = 0
        self._position = 0

    def _run(self) -> list[list[float]]:
        new = self._new_segments()
        while len(new) > SEGMENTS_PER_FORWARD:
            self._engine.forward(new[:SEGMENTS_PER_FORWARD], self._cache, rows=[])
            new = new[SEGMENTS_PER_FORWARD:]
        end = new[-1].next_position if new else self._position
        branch = self._branch(end)
        start = branch[-1].next_position if branch else end
        hidden = self._ask(new, branch, [self._layout.ask(task, start) for task in self.tasks])
        self._cached_blocks = len(self._video.blocks)
        self._position = end
        return self._engine.log_probs(hidden, self._layout.answers).tolist()

    def _new_segments(self) -> list[Segment]:
        segments = [self._layout.header()] if self._position == 0 else []
        position = segments[0].next_position if segments else self._position
        for block in self._video.blocks[self._cached_blocks :]:
            segments.append(self._layout.block(block, self._video.grid, position))
            position = segments[-1].next_position
        return segments

    def _branch(self, start: int) -> list[Segment]:
        block = self._video.branch
        return [] if block is None else [self._layout.block(block, self._video.grid, start)]

    def _ask(
        self, new: list[Segment], branch: list[Segment], questions: list[Segment]
    ) -> torch.Tensor:
        """Hidden states (questions, hidden); leaves `new` in the cache and nothing else.

        The questions are siblings: each sees the video and none of the others.
        """
        together = self._engine.masks_branches
        groups = [questions] if together else [[question] for question in questions]
        trunk = [*new, *branch]
        hidden = []
        for group in groups:
            shared = _count(trunk)
            ends = [shared + _count(group[: k + 1]) - 1 for k in range(len(group))]
            mask = None
            if len(group) > 1:
                mask = _sibling_mask(self.cached_tokens, shared, [_count([q]) for q in group])
            hidden.append(self._engine.forward([*trunk, *group], self._cache, ends, mask))
            cut_cache(self._cache, _count(group))
            trunk = []
        cut_cache(self._cache, _count(branch))
        return torch.cat(hidden)


def _count(segments: Sequence[Segment]) -> int:
    return sum(len(segment.ids) for segment in segments)


def _sibling_mask(past: int, shared: int, lengths: Sequence[int]) -> torch.Tensor:
    """Boolean (shared + sum(lengths), past + the same): causal, but blind between siblings."""
    count = shared + sum(lengths)
    mask = torch.ones(count, past + count, dtype=torch.bool).tril(past)
    start = shared
    for length in lengths:
        mask[start : start + length, past + shared : past + start] = False
        start += length
    return mask
