# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The published recipe: the whole prefix anew for each score.

The reference that streaming is held against: only the prompt's tokens and the patches are shared
with it, positions, masks and the order of things are the model's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch

from .checkpoint import Checkpoint
from .engine import Engine
from .prompt import PromptLayout
from .questions import TOPREWARD, Question, check_tasks
from .score import Score, take_steps
from .transformers_versions import position_inputs
from .video import DEFAULT_MAX_PIXELS, Block, Geometry, Video


class PrefixModel(Protocol):
    """Scores a whole prefix at once."""

    geometry: Geometry

    def log_probs(self, video: Video, task: str) -> tuple[float, float]:
        """log P(true) and log P(false) [nat] of the question about this video."""
        ...


class RecomputeScorer:
    """Scores each prefix from scratch; for every family, at a cost that grows with the video."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        question: Question = TOPREWARD,
        max_pixels: int = DEFAULT_MAX_PIXELS,
    ) -> None:
        """Raises ModelError where the family needs its own processor and that is not installed."""
        self._model: PrefixModel
        if checkpoint.streams:
            self._model = _Qwen3VL(checkpoint, question, max_pixels)
        else:
            from .processor_model import ProcessorModel

            self._model = ProcessorModel(checkpoint, question, max_pixels)

    path = 'the whole prefix for each score'

    def start(self, tasks: str | Sequence[str]) -> RecomputeEpisode:
        return RecomputeEpisode(self._model, check_tasks(tasks))

    def warm_up(self, height: int, width: int, max_frames: int = 4) -> None:
        """As `Scorer`."""
        take_steps(self, height, width, 2)


class RecomputeEpisode:
    """One attempt: nothing but its video."""

    def __init__(self, model: PrefixModel, tasks: tuple[str, ...]) -> None:
        self.tasks = tasks
        self._model = model
        self._video = Video(model.geometry)

    @property
    def frames(self) -> int:
        return self._video.frames

    def append(self, frame: np.ndarray, time: float) -> None:
        self._video.append(frame, time)

    def thin(self) -> None:
        self._video.thin()

    def close(self) -> None:
        self._video = Video(self._model.geometry)

    def score(self) -> Score:
        return self.scores()[0]

    @torch.inference_mode()
    def scores(self) -> tuple[Score, ...]:
        if not self.frames:
            raise ValueError('an episode without frames cannot be scored: append one first')
        rows = [self._model.log_probs(self._video, task) for task in self.tasks]
        return tuple(Score(true, false, self.frames) for true, false in rows)


class _Qwen3VL:
    """The paper's prompt in one forward of the model, which finds the positions itself."""

    def __init__(self, checkpoint: Checkpoint, question: Question, max_pixels: int) -> None:
        self.geometry = checkpoint.geometry(max_pixels)
        self._engine = Engine(checkpoint.qwen3_vl(), self.geometry)
        self._layout = PromptLayout(checkpoint.prompt_tokens(), question)

    def log_probs(self, video: Video, task: str) -> tuple[float, float]:
        blocks: list[Block] = [*video.blocks, *([video.branch] if video.branch else [])]
        tokens = self._layout.tokens
        rows, columns = video.grid
        ids = tokens.header()
        for block in blocks:
            ids += tokens.block(block.time, rows * columns)[0]
        ids += tokens.text(self._layout.question.ask(task))
        patches, grid = self._engine.pixels(blocks)
        # One video of many blocks, as the processor hands it over.
        video_grid = torch.tensor([[len(blocks), int(grid[0, 1]), int(grid[0, 2])]])
        inputs = torch.tensor([ids])
        model = self._engine.model.model
        hidden = model(
            input_ids=inputs.to(self._engine.device),
            attention_mask=torch.ones_like(inputs).to(self._engine.device),
            pixel_values_videos=patches,
            video_grid_thw=video_grid.to(self._engine.device),
            use_cache=False,
            **position_inputs(model, inputs.to(self._engine.device), tokens.video_pad),
        ).last_hidden_state
        true, false = self._engine.log_probs(hidden[0, -1:], self._layout.answers)[0].tolist()
        return true, false
