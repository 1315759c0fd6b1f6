# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What every scorer takes and gives: frames and tasks in, scores out."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from topreward_ros.errors import NOT_A_NUMBER, ModelError

if TYPE_CHECKING:
    from .engine.chat_model import ChatModel


@dataclass(frozen=True)
class Score:
    """What a model says of one prefix of an episode; None for what it cannot say.

    frames is the length of the prefix. log_prob and log_prob_false are log P(" True") and
    log P(" False") [nat, <= 0] for the token after the question (arXiv 2602.19313). progress
    [0, 1] and success (a probability) come from models with heads for them. parts are the terms
    of a combined reward, by name.

    Raises ModelError for a value that is not a number, ValueError for a score that says nothing.
    """

    frames: int
    log_prob: float | None = None
    log_prob_false: float | None = None
    progress: float | None = None
    success: float | None = None
    parts: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        values = (self.log_prob, self.log_prob_false, self.progress, self.success)
        if any(
            value is not None and math.isnan(value) for value in (*values, *self.parts.values())
        ):
            raise ModelError(NOT_A_NUMBER)
        if self.log_prob is None and self.progress is None:
            raise ValueError('a score has a log-probability or a progress; this one has neither')

    @property
    def value(self) -> float:
        """What progress is read from: log_prob [nat], or the model's own progress [0, 1]."""
        if self.log_prob is not None:
            return self.log_prob
        assert self.progress is not None
        return self.progress

    @property
    def evidence(self) -> float | None:
        """What success is judged by: log_prob, or the log of the success probability [nat].

        None where the model says neither.
        """
        if self.log_prob is not None:
            return self.log_prob
        if self.success is None:
            return None
        return math.log(self.success) if self.success > 0 else -math.inf


@dataclass(frozen=True)
class Identity:
    """What scores belong to: numbers of another model or another prompt do not compare.

    model is the name as it was asked for, an adapter included; fingerprint is of its files;
    layout is the prompt's, with the pixel budget of a frame; weights is their number format.
    """

    model: str
    fingerprint: str
    layout: str
    weights: str


class Episode(ABC):
    """One attempt at one task, or at several that share the video."""

    @property
    @abstractmethod
    def frames(self) -> int:
        """How many frames are in the prefix."""

    @abstractmethod
    def append(self, frame: np.ndarray, time: float) -> None:
        """Add a frame: uint8 RGB (H, W, 3), time [s] since the episode began, never falling.

        Raises FrameError for an array of another shape or type, or a time that falls.
        """

    @abstractmethod
    def scores(self) -> tuple[Score, ...]:
        """Score the frames so far, one score per task, in their order.

        ValueError before the first frame.
        """

    def score(self) -> Score:
        """Score the frames so far for the first task."""
        return self.scores()[0]

    @abstractmethod
    def thin(self) -> None:
        """Drop every second pair of frames, so that a long episode stays within bounds."""

    def close(self) -> None:  # noqa: B027  most have something to give back, not all
        """Give back the memory; the episode cannot be used afterwards."""


class Scorer(ABC):
    """A loaded model that can score; used by one thread at a time."""

    @property
    @abstractmethod
    def identity(self) -> Identity:
        """What its scores belong to."""

    @property
    def summary(self) -> str:
        """The model and where it is, for logs."""
        return self.identity.model

    @property
    def mode(self) -> str:
        """How it scores, for logs."""
        return 'frame by frame'

    @abstractmethod
    def start(self, tasks: str | Sequence[str]) -> Episode:
        """Begin an episode; raises TaskError for a text that cannot be asked about."""

    def fit_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width [px] to which frames of this size are resized before they are scored."""
        return height, width

    def curve(
        self,
        clip: Iterable[tuple[np.ndarray, float]],
        tasks: str | Sequence[str],
        lengths: Sequence[int] | None = None,
    ) -> Iterator[tuple[Score, ...]]:
        """Score the prefixes of these lengths, rising (None: of every length), a row each.

        clip yields frames with their times as for `Episode.append`; it is read one by one and not
        kept. This default scores prefix after prefix.
        """
        wanted = None if lengths is None else set(lengths)
        last = None if lengths is None else max(lengths, default=0)
        episode = self.start(tasks)
        try:
            for frame, time in () if last == 0 else clip:
                episode.append(frame, time)
                if wanted is None or episode.frames in wanted:
                    yield episode.scores()
                if episode.frames == last:
                    return
        finally:
            episode.close()

    def warm_up(self, height: int, width: int, max_frames: int = 4) -> None:
        """Prepare for frames of this size [px], so that the first live score meets nothing new.

        This default scores two blank frames.
        """
        blank = np.zeros((height, width, 3), np.uint8)
        episode = self.start('warm up')
        try:
            for k in range(2):
                episode.append(blank, k / 2)
                episode.score()
        finally:
            episode.close()

    def chat_model(self) -> ChatModel:
        """The same model, to be asked in a chat turn; ModelError where it cannot be."""
        raise ModelError(f'{self.identity.model} cannot be asked in a chat turn')
