# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A toy scorer that gives no progress, only log P, which rises with what the toy sees."""

from __future__ import annotations

from typing import Any

from topreward_ros.scoring import Score

from ..toy_scorer import ToyEpisode, ToyScorer


class DoubtfulScorer(ToyScorer):
    """Starts episodes whose progress is to be told from log P."""

    def start(self, tasks: Any) -> ToyEpisode:
        return DoubtfulEpisode(1)


class DoubtfulEpisode(ToyEpisode):
    """One attempt."""

    def scores(self) -> Any:
        (score,) = super().scores()
        return (Score(self.frames, log_prob=score.progress - 10, log_prob_false=-1.0),)
