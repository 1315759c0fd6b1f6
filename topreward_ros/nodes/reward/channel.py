# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A camera's channel to the thread that owns the models."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from topreward_ros.errors import WorkerError, reason_of
from topreward_ros.scoring.loading.memory import release_memory, with_memory
from topreward_ros.scoring.score import Episode, Scorer

from .inbox import Inbox
from .scoring_requests import (
    Call,
    Close,
    Done,
    End,
    EpisodeRequest,
    Frame,
    LoadScorer,
    OnFailed,
    Post,
    ScoringResult,
)

LOGGER = logging.getLogger(__name__)


class Worker(Protocol):
    """What a channel needs of the worker; see `ScoringWorker`."""

    @property
    def is_alive(self) -> bool: ...

    @property
    def has_work(self) -> bool: ...

    def put(self, channel: Any, item: Any) -> bool: ...

    def append(self, channel: Any, frame: Frame, most: int) -> bool: ...

    def waiting(self, channel: Any) -> int: ...

    def remove(self, channel: Any) -> None: ...


class Channel:
    """A camera's connection to the worker, with a scorer and one episode at a time.

    The executor's thread calls `load` to `close`, of which only `close` waits for the model.
    """

    def __init__(self, worker: Worker, post: Post, on_death: OnFailed) -> None:
        self._worker = worker
        self._post = post
        self._on_death = on_death
        self.inbox = Inbox()  # used under the worker's lock
        self._closed = threading.Event()
        # Accessed by the worker's thread only
        self._scorer: Scorer | None = None
        self._episode: Episode | None = None
        self._request: EpisodeRequest | None = None
        self._may_prepare = True  # the next thinning

    # For the executor's thread

    def load(self, load: LoadScorer, done: Done) -> None:
        """Load a scorer in the worker's thread and keep it; done gets it, or the error."""
        self._call_later(partial(self._load, load), done)

    def unload(self, done: Done) -> None:
        """Drop the scorer and release its memory on the device."""
        self._call_later(self._unload, done)

    def begin(self, request: EpisodeRequest) -> None:
        """Begin an episode; waiting frames of earlier ones are dropped."""
        self._worker.put(self, request)

    def end(self) -> None:
        """Drop the episode, its cache and the waiting frames."""
        self._worker.put(self, End())

    def append(self, frame: Frame, most: int) -> bool:
        """Queue a frame; False if the oldest was dropped for it, as `most` were waiting."""
        return self._worker.append(self, frame, most)

    @property
    def waiting(self) -> int:
        """The number of frames that are not scored yet."""
        return self._worker.waiting(self)

    @property
    def is_served(self) -> bool:  # by a thread that runs
        return self._worker.is_alive

    def close(self, timeout: float = 30.0) -> bool:
        """Close the channel after its current step; False if that takes longer than timeout [s]."""
        self._worker.put(self, Close())
        return self._closed.wait(timeout)

    def _call_later(self, call: Callable[[], Any], done: Done) -> None:
        if not self._worker.put(self, Call(call, done)):
            self._post(partial(done, None, WorkerError('this camera is closed')))

    # For the worker's thread

    def step(self, items: list[Any]) -> None:
        """Process items in order; frames of an episode get one score, for the newest of them.

        For the newest that is to be scored: others after it are not in the score.
        """
        scored = _newest_to_score(items)
        for item in items:
            if isinstance(item, Close):
                self._close()
                return
            if isinstance(item, Call):
                self._call(item)
            elif isinstance(item, Frame):
                if self._append(item) and item is scored:
                    self._score(item)
            else:
                self._change_episode(item)
        if scored is not None:
            self._prepare(scored)

    def _call(self, item: Call) -> None:
        result, error = None, None
        try:
            result = item.call()
        except Exception as failure:
            error = failure
        except BaseException as failure:  # would end the executor
            error = WorkerError(reason_of(failure))
        self._post(partial(item.done, result, error))

    def _change_episode(self, item: EpisodeRequest | End) -> None:
        self._drop_episode()
        self._may_prepare = True
        if isinstance(item, EpisodeRequest) and self._scorer is not None:
            self._request = item
            try:
                self._episode = self._scorer.start(item.task)
            except BaseException as error:
                self._fail(error)

    def _append(self, frame: Frame) -> bool:
        """Append a frame to the current episode; False if there is none or it failed."""
        if self._episode is None:
            return False
        try:
            if frame.sample.thin:
                self._episode.thin()
            if frame.sample.keep is not None:
                self._episode.keep_last(frame.sample.keep)
            self._episode.append(frame.image, frame.sample.time)
        except BaseException as error:
            self._fail(error)
            return False
        return True

    def _score(self, newest: Frame) -> None:
        if self._episode is None or self._request is None:
            return
        began = time.monotonic()
        try:
            score = with_memory(self._episode.score)
        except BaseException as error:  # the next score runs all that this one lacks
            reason = reason_of(error)
        else:
            result = ScoringResult(newest, score, time.monotonic() - began)
            self._post(partial(self._request.on_scored, result))
            return
        release_memory()  # not above, where the error still holds tensors
        self._post(partial(self._request.on_skipped, reason))

    def _prepare(self, newest: Frame) -> None:
        """Do a part of the next thinning's work after a score was published, if nobody waits."""
        if self._episode is None or not newest.sample.is_near or not self._may_prepare:
            return
        if self._worker.has_work:
            return
        try:
            self._episode.prepare_thinning()
        except BaseException as error:  # such as no memory for a second cache
            reason = reason_of(error)
        else:
            return
        self._may_prepare = False  # in this episode: the thinning does the work that is missing
        LOGGER.warning('a thinning cannot be prepared, so one score will take longer: %s', reason)
        release_memory()

    def _fail(self, error: BaseException) -> None:
        """End the episode, of which a frame is missing: its scores would be wrong."""
        request = self._request
        self._drop_episode()
        if request is not None:
            self._post(partial(request.on_failed, reason_of(error)))

    def _drop_episode(self) -> None:
        episode, self._episode, self._request = self._episode, None, None
        try:
            if episode is not None:
                episode.close()
        except BaseException:  # nobody waits for more of its scores
            LOGGER.exception('an episode could not be closed')

    def _load(self, load: LoadScorer) -> Scorer:
        self._unload()
        self._scorer = load()
        return self._scorer

    def _unload(self) -> None:
        self._drop_episode()
        self._scorer = None
        release_memory()

    def _close(self) -> None:
        try:
            self._unload()
        finally:
            self._worker.remove(self)
            self._closed.set()

    def die(self, items: list[Any], reason: str) -> None:
        """Answer all that waited, as the thread ends by a failure."""
        self._scorer = self._episode = self._request = None
        for item in items:
            if isinstance(item, Call):
                self._post(partial(item.done, None, WorkerError(reason)))
            elif isinstance(item, Close):
                self._worker.remove(self)
                self._closed.set()
        self._post(partial(self._on_death, reason))


def _newest_to_score(items: list[Any]) -> Frame | None:
    """Return the newest frame of the last episode among these items that is to be scored."""
    for item in reversed(items):
        if isinstance(item, Frame) and item.is_scored:
            return item
        if isinstance(item, EpisodeRequest | End):
            return None
    return None
