# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What every scorer takes and gives: frames and tasks in, log-probabilities out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from .errors import ModelError

NOT_A_NUMBER = (
    'the model answered with something that is not a number: its numbers overflow in this format; '
    'use dtype bfloat16 or float32'
)


@dataclass(frozen=True)
class Score:
    """What the model says of one prefix of an episode.

    log_prob and log_prob_false are log P(" True") and log P(" False") [nat, <= 0] for the token
    after the question (arXiv 2602.19313); frames is the length of the prefix. Raises ModelError
    where one of the two is no number.
    """

    log_prob: float
    log_prob_false: float
    frames: int

    def __post_init__(self) -> None:
        if math.isnan(self.log_prob) or math.isnan(self.log_prob_false):
            raise ModelError(NOT_A_NUMBER)


class Episode(Protocol):
    """One attempt at one task, or at several that share the video."""

    @property
    def frames(self) -> int:
        """How many frames are in the prefix."""
        ...

    def append(self, frame: np.ndarray, time: float) -> None:
        """Add a frame: uint8 RGB (H, W, 3), time [s] since the episode began, never falling.

        Raises FrameError for an array of another shape or type, or a time that falls.
        """
        ...

    def score(self) -> Score:
        """Score the frames so far for the first task; ValueError when there are none."""
        ...

    def scores(self) -> tuple[Score, ...]:
        """Score the frames so far, one score per task, in their order."""
        ...

    def thin(self) -> None:
        """Drop every second pair of frames, so that a long episode stays within bounds."""
        ...

    def close(self) -> None:
        """Give back the memory; the episode cannot be used afterwards."""
        ...


def take_steps(scorer: Scorer, height: int, width: int, frames: int) -> None:
    """Score an episode of so many blank frames of this size [px], one by one."""
    blank = np.zeros((height, width, 3), np.uint8)
    episode = scorer.start('warm up')
    try:
        for k in range(frames):
            episode.append(blank, k / 2)
            episode.score()
    finally:
        episode.close()


class Scorer(Protocol):
    """A loaded model that can score."""

    @property
    def path(self) -> str:
        """The way in which it does, in words."""
        ...

    def start(self, tasks: str | Sequence[str]) -> Episode:
        """Begin an episode; raises TaskError for a text that cannot be asked about."""
        ...

    def warm_up(self, height: int, width: int, max_frames: int = 4) -> None:
        """Prepare for frames of this size [px], so that the first live score meets nothing new."""
        ...
