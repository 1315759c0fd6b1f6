# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A toy scorer that gives no progress, only success, and log P, which rises with the light."""

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
        log_prob, success = score.progress - 10, score.success
        return (Score(self.frames, log_prob=log_prob, log_prob_false=-1.0, success=success),)
