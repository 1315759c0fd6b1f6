# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Robometer's scores from the whole prefix anew, through transformers' own forward.

The reference in tests, and the way of the published implementations.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch

from ...engine.full_precision import full_precision
from ...engine.qwen3_vl import engine_of
from ...engine.transformers_versions import position_inputs
from ...engine.video import stacked
from ...questions import check_tasks
from ...score import Episode, Footprint, Score
from .loading import Robometer
from .names import RobometerNames
from .pictures import PicturePrompt, Pictures


class RobometerRecompute(RobometerNames):
    """A Robometer that keeps nothing between scores."""

    mode = 'the whole prefix for each score'

    def __init__(self, robometer: Robometer) -> None:
        self.robometer = robometer
        self.engine = engine_of(robometer.checkpoint)

    @cached_property
    def summary(self) -> str:
        return self.robometer.checkpoint.summary()

    @property
    def footprint(self) -> Footprint:
        return Footprint(self.robometer.checkpoint.bytes)

    def start(self, tasks: str | Sequence[str]) -> RobometerPrefix:
        return RobometerPrefix(self, check_tasks(tasks))


class RobometerPrefix(Episode):
    """One attempt, of which the pictures are kept."""

    def __init__(self, scorer: RobometerRecompute, tasks: tuple[str, ...]) -> None:
        self.tasks = tasks
        self._scorer = scorer
        self._pictures = Pictures(scorer.engine.geometry)

    @property
    def frames(self) -> int:
        return len(self._pictures.shown)

    def append(self, frame: np.ndarray, time: float) -> None:
        self._pictures.append(frame, time)

    def thin(self) -> None:
        self._pictures.thin()

    def keep_last(self, count: int) -> None:
        self._pictures.keep_last(count)

    def close(self) -> None:
        self._pictures = Pictures(self._pictures.geometry)

    @torch.inference_mode()
    def scores(self) -> tuple[Score, ...]:
        if not self.frames:
            raise ValueError('an episode without frames cannot be scored: append one first')
        return tuple(self._score(task) for task in self.tasks)

    def _score(self, task: str) -> Score:
        layout, pictures = self._scorer.robometer.layout, self._pictures
        segments = PicturePrompt(layout, task).extend(pictures, self.frames)
        engine, model = self._scorer.engine, self._scorer.engine.model.model
        device = engine.device
        ids = torch.tensor([[each for segment in segments for each in segment.ids]], device=device)
        blocks = [segment.block for segment in segments if segment.block is not None]
        rows, columns = (side // engine.geometry.patch for side in pictures.shown[0].shape[:2])
        with full_precision():
            hidden = model(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                pixel_values=engine.geometry.patches(stacked(blocks).to(device)),
                image_grid_thw=torch.tensor([[1, rows, columns]] * len(blocks), device=device),
                use_cache=False,
                **position_inputs(model, ids, layout.image_pad, is_video=False),
            ).last_hidden_state
        ((progress, success),) = self._scorer.robometer.heads(hidden[0, -1:]).tolist()
        return Score(self.frames, progress=progress, success=success)
