# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The published recipe: a full forward over the whole prefix for each score.

This is the reference for streaming. It shares only the prompt's token ids and the patches with it;
positions, masks and the forward are those of transformers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Protocol

import numpy as np
import torch

from ...engine.chat_model import ChatModel
from ...engine.full_precision import full_precision
from ...engine.geometry import Geometry
from ...engine.prompt import PromptTokens
from ...engine.qwen3_vl import Engine, engine_of
from ...engine.transformers_versions import position_inputs
from ...engine.video import Block, Video, fitter, stacked
from ...loading.checkpoint import Checkpoint
from ...loading.fingerprint import identity_of
from ...questions import VideoQuestion, check_tasks
from ...score import Episode, Footprint, Identity, Score, Scorer
from .layout import TOPREWARD, PromptLayout, layout_name


class PrefixModel(Protocol):
    """Scores a whole prefix in one forward."""

    geometry: Geometry

    def score(self, video: Video, task: str) -> Score:
        """Return the score of this video."""
        ...


class PrefixScorer(Scorer):
    """Scores each prefix from scratch, at a cost that grows with the video."""

    def __init__(self, checkpoint: Checkpoint, model: PrefixModel, layout: str) -> None:
        """Name the prompt `layout` in the scorer's identity."""
        self._checkpoint = checkpoint
        self._model = model
        self._layout_name = layout

    @cached_property
    def identity(self) -> Identity:
        return identity_of(self._checkpoint, self._layout_name)

    @cached_property
    def summary(self) -> str:
        return self._checkpoint.summary()

    @property
    def footprint(self) -> Footprint:
        return Footprint(self._checkpoint.bytes)

    @property
    def mode(self) -> str:
        return 'the whole prefix for each score'

    def fitter(self, height: int, width: int) -> Callable[[np.ndarray], np.ndarray]:
        return fitter(self._model.geometry, height, width)

    def start(self, tasks: str | Sequence[str]) -> PrefixEpisode:
        return PrefixEpisode(self._model, check_tasks(tasks))


class RecomputeScorer(PrefixScorer):
    """A Qwen3-VL that scores each prefix from scratch."""

    def __init__(self, checkpoint: Checkpoint, question: VideoQuestion = TOPREWARD) -> None:
        """Raises ModelError for a model of another family."""
        self.engine = engine_of(checkpoint)
        layout = PromptLayout(PromptTokens.of(checkpoint.folder), question)
        model, self._question = _Qwen3VL(self.engine, layout), question
        super().__init__(checkpoint, model, layout_name(question, self.engine.geometry))

    @property
    def reward_model(self) -> str:
        return self._question.reward_model

    def chat_model(self) -> ChatModel:
        return ChatModel(self._checkpoint, self.engine)


class PrefixEpisode(Episode):
    """One attempt; it stores the video only."""

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

    def keep_last(self, count: int) -> None:
        self._video.keep_last(count)

    def close(self) -> None:
        self._video = Video(self._model.geometry)

    @torch.inference_mode()
    def scores(self) -> tuple[Score, ...]:
        if not self.frames:
            raise ValueError('an episode without frames cannot be scored: append one first')
        return tuple(self._model.score(self._video, task) for task in self.tasks)


class _Qwen3VL:
    """The paper's prompt in one forward of the model, which computes the positions itself."""

    def __init__(self, engine: Engine, layout: PromptLayout) -> None:
        self.geometry = engine.geometry
        self._engine = engine
        self._layout = layout

    def score(self, video: Video, task: str) -> Score:
        blocks: list[Block] = [*video.blocks, *([video.branch] if video.branch else [])]
        tokens = self._layout.tokens
        rows, columns = video.grid
        ids = tokens.header()
        for block in blocks:
            ids += tokens.block(block.time, rows * columns)[0]
        ids += self._layout.question.ids(tokens, task)
        patches, grid = self._patches(blocks)
        inputs = torch.tensor([ids])
        model = self._engine.model.model
        with full_precision():
            hidden = model(
                input_ids=inputs.to(self._engine.device),
                attention_mask=torch.ones_like(inputs).to(self._engine.device),
                pixel_values_videos=patches,
                video_grid_thw=grid.to(self._engine.device),
                use_cache=False,
                **position_inputs(model, inputs.to(self._engine.device), tokens.video_pad),
            ).last_hidden_state
        log_probs = self._engine.log_probs(hidden[0, -1:], self._layout.answers)[0].tolist()
        return self._layout.question.score(video.frames, log_probs)

    def _patches(self, blocks: Sequence[Block]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return patches on the device and the grid (1, 3) of time, rows and columns, of one video.

        The format is that of the Hugging Face processor.
        """
        frames = stacked(blocks).to(self._engine.device)
        rows, columns = (side // self.geometry.patch for side in frames.shape[2:4])
        return self.geometry.patches(frames), torch.tensor([[len(blocks), rows, columns]])
