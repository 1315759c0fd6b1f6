# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The one thread of a process that owns its models, their caches and the device.

Every camera has a channel to it. The executor's thread puts items into a channel without waiting,
and makes the calls that results come as. Channels with work wait in a queue and are served one step
at a time, so none starves another; one that closes is served first. Whatever a model raises is told
to its own channel alone; should the thread end all the same, every channel is told, and the next
item starts a new one. The only lock protects the queues; it is never held while a model runs.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from topreward_ros.errors import WorkerError, reason_of
from topreward_ros.scoring.families import load_scorer
from topreward_ros.scoring.loading.memory import release_memory, with_memory
from topreward_ros.scoring.loading.options import LoadOptions
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


class ScoringWorker:
    """Owns the thread, which runs as long as a channel is open."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._ready: deque[Channel] = deque()  # channels with work, longest waiting first
        self._channels: set[Channel] = set()
        self._thread: threading.Thread | None = None
        # The scorers in use, which cameras share; accessed by the worker's thread only
        self._scorers = weakref.WeakValueDictionary[LoadOptions, Scorer]()

    def open(self, post: Post, on_death: OnFailed = LOGGER.error) -> Channel:
        """Return a new channel.

        post must schedule a call on the executor's thread. on_death is called there if the worker's
        thread has ended by a failure, which leaves the channel without a scorer.
        """
        channel = Channel(self, post, on_death)
        with self._changed:
            self._channels.add(channel)
        return channel

    def scorer(self, options: LoadOptions) -> Scorer:
        """Return the scorer in use with these options, or load it; for the worker's thread only."""
        scorer = self._scorers.get(options)
        if scorer is None:
            scorer = self._scorers[options] = load_scorer(options)
        return scorer

    def put(self, channel: Channel, item: Any) -> bool:
        """Put an item into a channel's inbox; False if it is closed."""
        with self._changed:
            if channel not in self._channels:
                return False
            channel.inbox.add(item)
            if not self.is_alive:
                self._thread = threading.Thread(target=self._live, name='scoring', daemon=True)
                self._thread.start()
            if isinstance(item, Close):
                self._ready = deque(other for other in self._ready if other is not channel)
                self._ready.appendleft(channel)
            elif channel not in self._ready:
                self._ready.append(channel)
            self._changed.notify()
            return True

    def append(self, channel: Channel, frame: Frame, most: int) -> bool:
        """Put a frame into the inbox of a channel; see `Channel.append`."""
        with self._changed:
            fits = channel.inbox.make_room(most)
            self.put(channel, frame)
            return fits

    @property
    def is_alive(self) -> bool:  # from the first item to the end of the last channel
        return self._thread is not None and self._thread.is_alive()

    def waiting(self, channel: Channel) -> int:
        """Return the number of frames of a channel that are not scored yet."""
        with self._changed:
            return channel.inbox.frames

    def remove(self, channel: Channel) -> None:
        """Remove a closed channel; the thread ends after the last one."""
        with self._changed:
            self._channels.discard(channel)
            if not self._channels:
                self._thread = None

    def _live(self) -> None:
        try:
            self._work()
        except BaseException as error:
            LOGGER.exception('the scoring thread has ended')
            with self._changed:
                self._thread = None
                self._ready.clear()
                waiting = {channel: channel.inbox.take() for channel in self._channels}
            reason = f'the scoring thread has ended: {reason_of(error)}'
            for channel, items in waiting.items():
                with contextlib.suppress(Exception):  # of a node that is gone
                    channel.die(items, reason)

    def _work(self) -> None:
        while (turn := self._next_turn()) is not None:
            channel, items = turn
            try:
                channel.step(items)
            except BaseException:  # the other cameras must go on
                LOGGER.exception('a step of the scoring thread failed')
            with self._changed:
                channel.inbox.finish()
            del turn, channel, items  # which hold images and scorers, while the thread waits

    def _next_turn(self) -> tuple[Channel, list[Any]] | None:
        """Return the channel that has waited longest and its items; None to end the thread."""
        with self._changed:
            while self._thread is threading.current_thread():
                if self._ready:
                    channel = self._ready.popleft()
                    return channel, channel.inbox.take()
                self._changed.wait()
            return None


class Channel:
    """A camera's connection to the worker, with a scorer and one episode at a time.

    The executor's thread calls `load` to `close`, of which only `close` waits for the model.
    """

    def __init__(self, worker: ScoringWorker, post: Post, on_death: OnFailed) -> None:
        self._worker = worker
        self._post = post
        self._on_death = on_death
        self.inbox = Inbox()  # used under the worker's lock
        self._closed = threading.Event()
        # Accessed by the worker's thread only
        self._scorer: Scorer | None = None
        self._episode: Episode | None = None
        self._request: EpisodeRequest | None = None

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
        """Process items in order; frames of an episode get one score, for the newest of them."""
        newest = None
        for item in items:
            if isinstance(item, Close):
                self._close()
                return
            if isinstance(item, Call):
                self._call(item)
            elif isinstance(item, Frame):
                newest = item if self._append(item) else newest
            else:
                newest = None
                self._change_episode(item)
        if newest is not None:
            self._score(newest)

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


WORKER = ScoringWorker()  # of this process
