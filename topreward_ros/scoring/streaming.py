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

from .cache import KeyValueCache
from .checkpoint import Checkpoint
from .cuda_graphs import GraphRecorder
from .engine import Engine, count_tokens, sibling_mask
from .errors import ModelError
from .prompt import PromptLayout, Segment
from .questions import TOPREWARD, Question, check_tasks
from .score import Score, take_steps
from .steady_steps import SteadySteps
from .video import DEFAULT_MAX_PIXELS, Video

# Segments run at once when many wait, as after thinning: bounds the memory of one forward.
SEGMENTS_PER_FORWARD = 8


def obstacle_to_graphs(checkpoint: Checkpoint) -> str:
    """Why the steps of this model cannot be recorded as CUDA graphs; empty where they can."""
    weights = next(checkpoint.model.parameters())
    if not weights.is_cuda:
        return f'the device is {weights.device.type}, which has no CUDA graphs'
    if checkpoint.family.endswith('_moe'):
        return 'a mixture of experts asks the device where its tokens go'
    if not checkpoint.is_plain:
        return 'the weights are quantised'
    return ''


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
        self._obstacle = obstacle_to_graphs(checkpoint)
        self.steady: SteadySteps | None = None
        if not self._obstacle:
            with self.engine.on_device():
                self.steady = SteadySteps(self.engine, GraphRecorder(self.engine.device))

    @property
    def path(self) -> str:
        obstacle = self._obstacle if self.steady is None else self.steady.trouble
        return f'step by step ({obstacle})' if obstacle else 'CUDA graphs'

    def start(self, tasks: str | Sequence[str]) -> StreamingEpisode:
        return StreamingEpisode(self, check_tasks(tasks))

    def warm_up(self, height: int, width: int, max_frames: int = 4) -> None:
        """As `Scorer`; where steps can be recorded, those of one episode at a time are.

        A second episode beside it records its own when it comes to them.
        """
        take_steps(self, height, width, 2)
        if self.steady is not None:
            with self.engine.on_device(), torch.inference_mode():
                self._prepare(self.steady, height, width, max_frames)

    def _prepare(self, steady: SteadySteps, height: int, width: int, max_frames: int) -> None:
        video = Video(self.engine.geometry)
        for time in (9.0, 9.5):
            video.append(np.zeros((height, width, 3), np.uint8), time)
        header = self.layout.header()
        block = self.layout.block(video.blocks[0], video.grid, header.next_position)
        question = self.layout.ask('warm up', block.next_position)
        most = count_tokens([header, question]) + count_tokens([block]) * (max_frames // 2 + 1)
        with self.engine.lent_cache() as cache:
            steady.prepare([block, question], cache, most)


class StreamingEpisode:
    """One attempt: its video, and a cache of the full blocks that have been run."""

    def __init__(self, scorer: StreamingScorer, tasks: tuple[str, ...]) -> None:
        self.tasks = tasks
        self._engine = scorer.engine
        self._layout = scorer.layout
        self._steady = scorer.steady
        self._video = Video(scorer.engine.geometry)
        self._cache: KeyValueCache | None = None
        self._forget()

    @property
    def frames(self) -> int:
        return self._video.frames

    @property
    def cached_tokens(self) -> int:
        """How many tokens the cache holds: those of full blocks, and of no question."""
        return 0 if self._cache is None else self._cache.length

    def append(self, frame: np.ndarray, time: float) -> None:
        self._video.append(frame, time)

    def thin(self) -> None:
        """Drop every second block; the next score runs the rest anew, once."""
        self._video.thin()
        self._forget()

    def close(self) -> None:
        self._video = Video(self._engine.geometry)
        self._forget()
        if self._cache is not None:
            self._engine.give_back(self._cache)
            self._cache = None

    def score(self) -> Score:
        return self.scores()[0]

    @torch.inference_mode()
    def scores(self) -> tuple[Score, ...]:
        if not self.frames:
            raise ValueError('an episode without frames cannot be scored: append one first')
        if self._cache is None:
            self._cache = self._engine.borrow_cache()
        try:
            with self._engine.on_device():
                rows = self._run(self._cache)
        except BaseException:  # a forward that stopped half-way leaves a cache that fits nothing
            self._forget()
            raise
        try:
            return tuple(Score(true, false, self.frames) for true, false in rows)
        except ModelError:  # no numbers: nobody shall read what is in the cache
            self._cache = None
            self._forget()
            raise

    def _forget(self) -> None:
        if self._cache is not None:
            self._cache.cut(0)
        self._cached_blocks = 0
        self._position = 0

    def _run(self, cache: KeyValueCache) -> list[list[float]]:
        new = self._new_segments()
        while len(new) > SEGMENTS_PER_FORWARD:
            self._engine.forward(new[:SEGMENTS_PER_FORWARD], cache)
            new = new[SEGMENTS_PER_FORWARD:]
        end = new[-1].next_position if new else self._position
        branch = self._branch(end)
        start = branch[-1].next_position if branch else end
        questions = [self._layout.ask(task, start) for task in self.tasks]
        kept = cache.length + count_tokens(new)
        hidden = self._forward([*new, *branch], questions, cache)
        cache.cut(kept)
        self._cached_blocks = len(self._video.blocks)
        self._position = end
        return self._engine.log_probs(hidden, self._layout.answers).tolist()

    def _forward(
        self, trunk: list[Segment], questions: list[Segment], cache: KeyValueCache
    ) -> torch.Tensor:
        """Hidden states (questions, hidden), each question seeing the trunk and no other."""
        if self._steady is not None and len(questions) == 1:
            hidden = self._steady.forward([*trunk, *questions], cache)
            if hidden is not None:
                return hidden
        rows, mask = sibling_mask(cache.length, trunk, questions)
        return self._engine.forward([*trunk, *questions], cache, rows, mask)

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
