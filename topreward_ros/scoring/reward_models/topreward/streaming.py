# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Exact scores at a constant cost per frame.

The video comes before the question and attention is causal, so a full block's share of the work
is done once and kept as keys and values. A score runs what is new, the last frame doubled if it
has no partner yet, and the question; then the last two are cut off again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

import numpy as np
import torch

from topreward_ros.errors import ModelError

from ...engine.chat_model import ChatModel
from ...engine.cuda_graphs import GraphRecorder, why_not_recorded
from ...engine.prefix_cache import PrefixCache
from ...engine.prompt import PromptTokens, count_tokens
from ...engine.qwen3_vl import engine_of
from ...engine.recorded_steps import RecordedSteps
from ...engine.video import Video
from ...loading.checkpoint import Checkpoint
from ...loading.fingerprint import identity_of
from ...questions import Question, check_tasks
from ...score import Episode, Identity, Score, Scorer
from .curve import one_pass
from .layout import TOPREWARD, PromptLayout, VideoPrompt, layout_name


class StreamingScorer(Scorer):
    """A Qwen3-VL that scores a growing video with a key-value cache."""

    def __init__(self, checkpoint: Checkpoint, question: Question = TOPREWARD) -> None:
        """Raises ModelError for a model of another family: `PrefixScorer`s take those."""
        self._checkpoint = checkpoint
        self.engine = engine_of(checkpoint)
        self.layout = PromptLayout(PromptTokens.of(checkpoint.folder), question)
        self._problem = why_not_recorded(checkpoint)
        self.recorded: RecordedSteps | None = None
        if not self._problem:
            with self.engine.on_device():
                self.recorded = RecordedSteps(self.engine, GraphRecorder(self.engine.device))

    @cached_property
    def identity(self) -> Identity:
        return identity_of(self._checkpoint, layout_name(self.engine.geometry))

    @cached_property
    def summary(self) -> str:
        return self._checkpoint.summary()

    @property
    def mode(self) -> str:
        problem = self._problem if self.recorded is None else self.recorded.problem
        return f'step by step ({problem})' if problem else 'CUDA graphs'

    def fit_size(self, height: int, width: int) -> tuple[int, int]:
        return self.engine.geometry.fit_size(height, width)

    def start(self, tasks: str | Sequence[str]) -> StreamingEpisode:
        return StreamingEpisode(self, check_tasks(tasks))

    def curve(
        self,
        clip: Iterable[tuple[np.ndarray, float]],
        tasks: str | Sequence[str],
        lengths: Sequence[int] | None = None,
    ) -> Iterator[tuple[Score, ...]]:
        return one_pass(self.engine, self.layout, clip, check_tasks(tasks), lengths)

    def warm_up(self, height: int, width: int, max_frames: int = 4) -> None:
        """As `Scorer`; where steps can be recorded, those of one episode at a time are.

        A second episode beside it records its own when it comes to them.
        """
        super().warm_up(height, width)
        if self.recorded is not None:
            with self.engine.on_device(), torch.inference_mode():
                self._prepare(self.recorded, height, width, max_frames)

    def chat_model(self) -> ChatModel:
        return ChatModel(self._checkpoint, self.engine)

    def _prepare(self, recorded: RecordedSteps, height: int, width: int, max_frames: int) -> None:
        video = Video(self.engine.geometry)
        for time in (9.0, 9.5):
            video.append(np.zeros((height, width, 3), np.uint8), time)
        prompt = VideoPrompt(self.layout, ['warm up'])
        header, block = prompt.extend(video.blocks, video.grid)
        (question,) = prompt.branch(None, video.grid).leaves
        most = count_tokens([header, question]) + count_tokens([block]) * (max_frames // 2 + 1)
        cache = self.engine.borrow_cache()
        recorded.prepare([block, question], cache, most)
        self.engine.give_back(cache)


class StreamingEpisode(Episode):
    """One attempt: its video, and a prefix of the full blocks that have been run."""

    def __init__(self, scorer: StreamingScorer, tasks: tuple[str, ...]) -> None:
        self.tasks = tasks
        self._engine = scorer.engine
        self._answers = scorer.layout.answers
        self._prompt = VideoPrompt(scorer.layout, tasks)
        self._prefix = PrefixCache(scorer.engine, scorer.recorded)
        self._video = Video(scorer.engine.geometry)
        self._run_blocks = 0

    @property
    def frames(self) -> int:
        return self._video.frames

    @property
    def cached_tokens(self) -> int:
        """How many tokens the prefix holds: those of full blocks, and of no question."""
        return self._prefix.length

    def append(self, frame: np.ndarray, time: float) -> None:
        self._video.append(frame, time)

    def thin(self) -> None:
        """Drop every second block; the next score runs the others anew, once."""
        self._video.thin()
        self._start_over()

    def close(self) -> None:
        self._video = Video(self._engine.geometry)
        self._start_over()
        self._prefix.close()

    @torch.inference_mode()
    def scores(self) -> tuple[Score, ...]:
        if not self.frames:
            raise ValueError('an episode without frames cannot be scored: append one first')
        try:
            rows = self._log_probs()
        except BaseException:  # a forward that stopped half-way leaves a prefix that fits nothing
            self._start_over()
            raise
        try:
            return tuple(Score(self.frames, true, false) for true, false in rows)
        except ModelError:  # no numbers: nobody shall read what is in the cache
            self._prefix.discard()
            self._start_over()
            raise

    def _log_probs(self) -> list[list[float]]:
        video = self._video
        new = self._prompt.extend(video.blocks[self._run_blocks :], video.grid)
        branch = self._prompt.branch(video.branch, video.grid)
        hidden = self._prefix.ask(self._prefix.prefill(new), [branch])
        self._run_blocks = len(video.blocks)
        with self._engine.on_device():
            return self._engine.log_probs(hidden, self._answers).tolist()

    def _start_over(self) -> None:
        self._prefix.clear()
        self._prompt.start()
        self._run_blocks = 0
