# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a camera's channel to the scoring worker takes and returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from topreward_ros.scoring.sampling import Sample
from topreward_ros.scoring.score import Score, Scorer

Post = Callable[[Callable[[], None]], None]
Done = Callable[[Any, Exception | None], None]  # takes a result, or None and an error
OnFailed = Callable[[str], None]  # takes the reason
LoadScorer = Callable[[], Scorer]
Fitter = Callable[[int, int], Callable[[np.ndarray], np.ndarray]]  # see `Scorer.fitter`
# The same for several scorers: it returns an image for each
Fitters = Callable[[int, int], Callable[[np.ndarray], tuple[np.ndarray, ...]]]


@dataclass(frozen=True, eq=False)
class Frame:
    """A sampled frame: uint8 RGB (H, W, 3) and the header of its message.

    One that is not to be scored is appended all the same, and is in the next score.
    """

    image: np.ndarray
    sample: Sample
    header: Any
    is_scored: bool = True


@dataclass(frozen=True)
class ScoringResult:
    """A score, its newest frame, and the time the model took [s]."""

    frame: Frame
    score: Score
    seconds: float


@dataclass(frozen=True, eq=False)
class EpisodeRequest:
    """An episode to begin, and its callbacks on the executor's thread.

    on_skipped: a score failed, and the next one is tried; on_failed: the episode has ended.
    """

    task: str
    on_scored: Callable[[ScoringResult], None]
    on_skipped: OnFailed
    on_failed: OnFailed


@dataclass(frozen=True)
class End:
    """A request to end the episode."""


@dataclass(frozen=True)
class Close:
    """A request to close the channel; whatever waits is dropped."""


@dataclass(frozen=True)
class Call:
    """A call to make in the worker's thread, and the callback for its result or error."""

    call: Callable[[], Any]
    done: Done
