# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What scorers with a prefix cache share: their engine, its recorded steps, and the warm-up."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property

import torch

from ..engine.cuda_graphs import GraphRecorder, capture_problem
from ..engine.prompt import Segment
from ..engine.qwen3_vl import engine_of
from ..engine.recorded_steps import RecordedSteps
from ..loading.checkpoint import Checkpoint
from ..score import Footprint, Scorer


class StreamedScorer(Scorer):
    """A Qwen3-VL whose steady steps are captured as CUDA graphs where that is possible."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        """Raises ModelError for a model of another family."""
        self._checkpoint = checkpoint
        self.engine = engine_of(checkpoint)
        self._problem = capture_problem(checkpoint)
        self.recorded: RecordedSteps | None = None
        if not self._problem:
            with self.engine.on_device():
                self.recorded = RecordedSteps(self.engine, GraphRecorder(self.engine.device))

    @cached_property
    def summary(self) -> str:
        return self._checkpoint.summary()

    @property
    def mode(self) -> str:
        return f'step by step ({self._problem})' if self.recorded is None else self.recorded.mode

    @property
    def footprint(self) -> Footprint:
        return Footprint(self._checkpoint.bytes, self.engine.reserved_bytes)

    def warm_up(self, height: int, width: int, max_frames: int = 4) -> None:
        """Warm up as `Scorer`, reserve an episode's cache, and capture its steps where possible.

        A second episode at the same time reserves and captures its own when it reaches them.
        """
        super().warm_up(height, width)
        with self.engine.on_device(), torch.inference_mode():
            step, most = self._steady_step(height, width, max_frames)
            cache = self.engine.borrow_cache()
            if self.recorded is None:
                cache.reserve(most)
            else:
                self.recorded.prepare(step, cache, most)
            self.engine.return_cache(cache)

    @abstractmethod
    def _steady_step(
        self, height: int, width: int, max_frames: int
    ) -> tuple[Sequence[Segment], int]:
        """Return the segments of a live step, and the tokens that an episode of this size needs."""
