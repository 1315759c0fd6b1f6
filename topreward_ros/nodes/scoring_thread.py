# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The thread that owns the model, its cache and the device.

The executor's thread hands it frames and never waits; what comes out is handed back as calls for
the executor's thread to make. The one lock between them is held to move references, never while
the model runs.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ..scoring.memory import release_memory
from ..scoring.score import Episode, Score, Scorer
from ..scoring.turns import DEVICE
from ..scoring.window import Sample

Post = Callable[[Callable[[], None]], None]
Done = Callable[[Any, Exception | None], None]  # takes a result or an error
# The scorer, and what to tell of it
MakeScorer = Callable[[], tuple[Scorer, Any]]


@dataclass(frozen=True, eq=False)
class Frame:
    """A kept frame on its way to the model: uint8 RGB (H, W, 3) and its message's header.

    episode is what `ScoringThread.begin` called it.
    """

    episode: int
    image: np.ndarray
    sample: Sample
    header: Any


@dataclass(frozen=True)
class Scored:
    """A score, the newest frame in it, and how long the model took [s]."""

    frame: Frame
    score: Score
    seconds: float


@dataclass(frozen=True)
class _Begin:
    episode: int
    task: str


@dataclass(frozen=True)
class _End:
    pass


@dataclass(frozen=True)
class _Run:
    """A call to make in the thread, and where its result or its error goes."""

    call: Callable[[], Any]
    done: Done


class ScoringThread:
    """Runs a scorer for one episode at a time.

    post hands a call to the executor's thread; on_scored and on_failed are called there, the
    latter with the episode and the reason when a score could not be made.
    """

    def __init__(
        self,
        post: Post,
        on_scored: Callable[[Scored], None],
        on_failed: Callable[[int, Exception], None],
    ) -> None:
        self._post = post
        self._on_scored = on_scored
        self._on_failed = on_failed
        self._inbox: deque[Any] = deque()
        self._arrived = threading.Condition()
        self._begun = 0
        self._in_hand = 0  # frames taken from the inbox and not scored yet
        self._closing = False
        self._scorer: Scorer | None = None
        self._episode: Episode | None = None
        self._episode_number = 0
        self._thread = threading.Thread(target=self._work, name='scoring', daemon=True)
        self._thread.start()

    # What the executor's thread calls. None of it waits for the model.

    def load(
        self,
        make_scorer: MakeScorer,
        done: Done,
    ) -> None:
        """Make a scorer in the thread and keep it; the result is what to tell of it."""
        self._put(_Run(partial(self._load, make_scorer), done))

    def unload(self, done: Done) -> None:
        """Drop the scorer and give the device's memory back."""
        self._put(_Run(self._unload, done))

    def begin(self, task: str) -> int:
        """Begin an episode; frames of those before it that still wait are dropped.

        The number it is called by is never used again, so that nothing late is taken for its own.
        """
        self._begun += 1
        self._put(_Begin(self._begun, task))
        return self._begun

    def end(self) -> None:
        """Drop the episode, its cache and the frames that wait."""
        self._put(_End())

    def append(self, frame: Frame, most: int) -> bool:
        """Queue a frame; False where `most` waited already and the oldest was dropped for it."""
        with self._arrived:
            waiting = [item for item in self._inbox if isinstance(item, Frame)]
            # One that thins the episode stays: without it the episode would outgrow its bounds.
            droppable = [item for item in waiting if not item.sample.thin]
            full = len(waiting) >= most and bool(droppable)
            if full:
                self._inbox.remove(droppable[0])
            self._inbox.append(frame)
            self._arrived.notify()
        return not full

    @property
    def waiting(self) -> int:
        """Frames that are not in a score yet."""
        with self._arrived:
            return self._in_hand + sum(isinstance(item, Frame) for item in self._inbox)

    def close(self, timeout: float = 30.0) -> bool:
        """End the thread after what it does now; False if it did not end in time [s]."""
        with self._arrived:
            self._closing = True
            self._inbox.clear()
            self._arrived.notify()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _put(self, item: Any) -> None:
        with self._arrived:
            if isinstance(item, _Begin | _End):  # what waits belongs to an episode that is over
                keep = [other for other in self._inbox if isinstance(other, _Run)]
                self._inbox.clear()
                self._inbox.extend(keep)
            self._inbox.append(item)
            self._arrived.notify()

    # What the thread does.

    def _work(self) -> None:
        while (batch := self._take()) is not None:
            newest = None
            for item in batch:
                if isinstance(item, _Run):
                    self._run(item)
                elif isinstance(item, Frame):
                    newest = self._append(item) or newest
                else:
                    self._change_episode(item)
            if newest is not None and self._episode is not None:
                self._score(newest)
        self._unload()

    def _take(self) -> list[Any] | None:
        """Everything that waits, in order; None when the thread is to end."""
        with self._arrived:
            while not self._inbox and not self._closing:
                self._in_hand = 0
                self._arrived.wait()
            batch = list(self._inbox)
            self._in_hand = sum(isinstance(item, Frame) for item in batch)
            self._inbox.clear()
            return None if self._closing else batch

    def _run(self, item: _Run) -> None:
        try:
            result, error = item.call(), None
        except Exception as failure:
            result, error = None, failure
        self._post(partial(item.done, result, error))

    def _change_episode(self, item: _Begin | _End) -> None:
        if self._episode is not None:
            self._episode.close()
        self._episode = None
        if isinstance(item, _Begin) and self._scorer is not None:
            self._episode_number = item.episode
            try:
                self._episode = self._scorer.start(item.task)
            except Exception as error:
                self._fail(error)

    def _append(self, frame: Frame) -> Frame | None:
        """The frame, where it went into the present episode."""
        if self._episode is None or frame.episode != self._episode_number:
            return None
        try:
            if frame.sample.thin:
                self._episode.thin()
            self._episode.append(frame.image, frame.sample.time)
        except Exception as error:
            self._fail(error)
            return None
        return frame

    def _score(self, newest: Frame) -> None:
        assert self._episode is not None
        began = time.monotonic()
        try:
            score = self._episode.score()
        except Exception as error:
            self._fail(error)
            return
        self._post(partial(self._on_scored, Scored(newest, score, time.monotonic() - began)))

    def _fail(self, error: Exception) -> None:
        """End the episode: going on after an error could only give a wrong number."""
        if self._episode is not None:
            self._episode.close()
        self._episode = None
        self._post(partial(self._on_failed, self._episode_number, error))

    def _load(self, make_scorer: MakeScorer) -> Any:
        self._unload()
        self._scorer, told = make_scorer()
        return told

    def _unload(self) -> None:
        if self._episode is not None:
            self._episode.close()
        self._episode = None
        self._scorer = None
        with DEVICE:
            release_memory()
