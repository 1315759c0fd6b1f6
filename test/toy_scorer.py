# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A scorer without a checkpoint, whose progress is the brightness of the newest frame.

Like a model with heads it provides progress and success, and no log-probability.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from topreward_ros.scoring import Episode, Identity, LoadOptions, Score, Scorer


class ToyScorer(Scorer):
    """Made from LoadOptions, as every scorer."""

    def __init__(self, options: LoadOptions) -> None:
        self.options = options

    @property
    def identity(self) -> Identity:
        return Identity(self.options.model, 'toy-1', 'newest frame', 'none')

    @property
    def reward_model(self) -> str:
        return 'toy'

    def start(self, tasks: str | Sequence[str]) -> ToyEpisode:
        return ToyEpisode(1 if isinstance(tasks, str) else len(tasks))


class ToyEpisode(Episode):
    """Stores the brightness of its frames."""

    def __init__(self, tasks: int) -> None:
        self._tasks = tasks
        self._levels: list[float] = []

    @property
    def frames(self) -> int:
        return len(self._levels)

    def append(self, frame: np.ndarray, time: float) -> None:
        self._levels.append(float(frame.mean()) / 255)

    def scores(self) -> tuple[Score, ...]:
        level = self._levels[-1]
        score = Score(self.frames, progress=level, success=level**8, parts={'brightness': level})
        return (score,) * self._tasks

    def thin(self) -> None:
        self._levels = self._levels[::2]

    def keep_last(self, count: int) -> None:
        self._levels = self._levels[max(0, self.frames - count) :]
