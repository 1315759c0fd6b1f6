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
import weakref
from collections import deque
from typing import Any

from topreward_ros.errors import reason_of
from topreward_ros.scoring.families import load_scorer
from topreward_ros.scoring.loading.options import LoadOptions
from topreward_ros.scoring.score import Scorer

from .channel import Channel
from .scoring_requests import Close, Frame, OnFailed, Post

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
            if not self.is_alive and (problem := self._start()):
                channel.die(channel.inbox.take(), problem)
                channel.inbox.finish()
                return True
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

    @property
    def has_work(self) -> bool:
        """Whether a channel waits for its turn."""
        with self._changed:
            return bool(self._ready)

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

    def _start(self) -> str:
        """Start the thread; return why that is not possible, or nothing."""
        self._thread = threading.Thread(target=self._live, name='scoring', daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:  # the system allows no more threads
            self._thread = None
            return f'the scoring thread cannot be started: {reason_of(error)}'
        return ''

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


WORKER = ScoringWorker()  # of this process
