# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Interfaces of all scorers: frames and tasks in, scores out."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from topreward_ros.errors import NOT_A_NUMBER, ModelError, NoChatError

if TYPE_CHECKING:
    from .engine.chat_model import ChatModel


MAX_LIVE_PIXELS = 1920 * 1200  # of a frame that waits, where the model sets no limit


@dataclass(frozen=True)
class Score:
    """A model's result for one prefix of an episode; None for values that it does not provide.

    frames: length of the prefix; log_prob, log_prob_false: log P(" True") and log P(" False")
    [nat, <= 0] of the token after the question (arXiv 2602.19313); progress [0, 1] and success
    (a probability): from models with heads for them; parts: terms of a combined reward, by name.

    Raises ModelError for a value that is not a number, ValueError without log_prob and progress.
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
            raise ValueError('a score needs a log-probability or a progress; this one has neither')

    @property
    def value(self) -> float:
        """The value that progress is derived from: log_prob [nat], or the model's own progress."""
        if self.log_prob is not None:
            return self.log_prob
        assert self.progress is not None
        return self.progress

    @property
    def evidence(self) -> float | None:
        """The value that success is judged by: log_prob, or the log of success [nat].

        None where the model provides neither.
        """
        if self.log_prob is not None:
            return self.log_prob
        if self.success is None:
            return None
        return math.log(self.success) if self.success > 0 else -math.inf


@dataclass(frozen=True)
class Identity:
    """Identity of a model and its prompt; scores of different identities are not comparable.

    model: name as given, including an adapter; fingerprint: hash of its files; layout: name of the
    prompt layout, with the pixel budget per frame; weights: their number format.
    """

    model: str
    fingerprint: str
    layout: str
    weights: str


@dataclass(frozen=True)
class Footprint:
    """Memory of a loaded model [bytes]: its parameters, and what is reserved for prefix caches."""

    parameters: int
    caches: int = 0

    def __str__(self) -> str:
        parameters, caches = (f'{each / 2**20:.1f} MiB' for each in (self.parameters, self.caches))
        return f'{parameters} of parameters, {caches} reserved for caches'


class Episode(ABC):
    """One attempt at one task, or at several that share the video."""

    @property
    @abstractmethod
    def frames(self) -> int:
        """Number of frames in the prefix."""

    @abstractmethod
    def append(self, frame: np.ndarray, time: float) -> None:
        """Add a frame, uint8 RGB (H, W, 3), at a time [s] since the beginning of the episode.

        Raises FrameError for an array of another shape or dtype, or a time before the last one.
        """

    @abstractmethod
    def scores(self) -> tuple[Score, ...]:
        """Return a score per task for the frames so far; ValueError before the first frame.

        After an error it can be called again: what the failed call left behind is not used.
        """

    def score(self) -> Score:
        """Return the score of the first task for the frames so far."""
        return self.scores()[0]

    @abstractmethod
    def thin(self) -> None:
        """Drop every second pair of frames, to bound the length of a long episode."""

    @abstractmethod
    def keep_last(self, count: int) -> None:
        """Drop all frames but the newest `count`, 0 or more; nothing where there are no more.

        For a window of the last n frames: keep_last(n - 1) before each frame, from the first on.
        The next scores are those of an episode of the remaining frames alone, with the same times
        and the size of the episode's first frame. Keys and values depend on all that is before
        them, so after a drop the next score runs the remaining frames anew.
        """

    def prepare_thinning(self) -> bool:
        """Do a part of what `thin` leaves to the next score; return whether there is more.

        For the time between two scores. It changes no score.
        """
        return False

    def close(self) -> None:  # noqa: B027  optional to override
        """Release the memory; the episode cannot be used afterwards."""


class Scorer(ABC):
    """A loaded model that can score; used by one thread at a time.

    Only identity, reward_model, tells_success, summary, mode, footprint and fitter are used by
    other threads, too: they have to be cheap.
    """

    @property
    @abstractmethod
    def identity(self) -> Identity:
        """Identity of the model and its prompt."""

    @property
    def reward_model(self) -> str:
        """Which reward model the scores are of, for messages and tables."""
        return 'topreward'

    @property
    def tells_success(self) -> bool:
        """Whether scores have evidence of success: a log-probability, or a probability of it."""
        return True

    @property
    def summary(self) -> str:
        """Name, size and device of the model, for logs."""
        return self.identity.model

    @property
    def mode(self) -> str:
        """How scores are computed, for logs."""
        return 'frame by frame'

    @property
    def footprint(self) -> Footprint | None:
        """The memory it holds now; None where that is unknown."""
        return None

    @abstractmethod
    def start(self, tasks: str | Sequence[str]) -> Episode:
        """Start an episode; raises TaskError for an invalid task text."""

    def fitter(self, height: int, width: int) -> Callable[[np.ndarray], np.ndarray]:
        """Return what resizes frames, uint8 RGB (H, W, 3), before they wait to be scored.

        The first frame of their episode has this size [px]. It bounds the memory of live frames and
        changes no score. This default resizes all to the first one's size, or below it to one of
        MAX_LIVE_PIXELS.
        """
        from .engine.video import fit_frame  # torch

        shrink = max(1.0, math.sqrt(height * width / MAX_LIVE_PIXELS))
        size = max(1, math.floor(height / shrink)), max(1, math.floor(width / shrink))
        return partial(fit_frame, size=size)

    def curve(
        self,
        clip: Iterable[tuple[np.ndarray, float]],
        tasks: str | Sequence[str],
        lengths: Sequence[int] | None = None,
    ) -> Iterator[tuple[Score, ...]]:
        """Yield a row of scores, one per task, for each of these lengths, rising (None: for all).

        clip yields frames with their times as for `Episode.append`; they are read one by one and
        not kept. This default scores one prefix after the other.
        """
        requested = None if lengths is None else set(lengths)
        last = None if lengths is None else max(lengths, default=0)
        episode = self.start(tasks)
        try:
            for frame, time in () if last == 0 else clip:
                episode.append(frame, time)
                if requested is None or episode.frames in requested:
                    yield episode.scores()
                if episode.frames == last:
                    return
        finally:
            episode.close()

    def warm_up(self, height: int, width: int, max_frames: int = 4) -> None:
        """Warm up for frames of this size [px], so that the first live score is not slower.

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
        """Return the same model as one that answers chat messages; NoChatError if it cannot."""
        raise NoChatError(f'{self.identity.model} cannot answer chat messages')
