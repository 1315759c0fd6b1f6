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

from ...engine.qwen3_vl import engine_of
from ...engine.reference_forward import run_whole
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
        prompt = PicturePrompt(layout, task).extend(pictures, self.frames)
        hidden = run_whole(self._scorer.engine, prompt, layout.image_pad).last_hidden_state
        ((progress, success),) = self._scorer.robometer.heads(hidden[0, -1:]).tolist()
        return Score(self.frames, progress=progress, success=success)
