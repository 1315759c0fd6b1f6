# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What waits for the scoring worker in a camera's channel; used under the worker's lock."""

from __future__ import annotations

from collections import deque
from typing import Any

from .scoring_requests import Call, Close, End, EpisodeRequest, Frame


class Inbox:
    """A queue of requests, in which a newer one may make older ones superfluous."""

    def __init__(self) -> None:
        self._items: deque[Any] = deque()
        self._in_progress = 0  # frames taken and not scored yet

    @property
    def frames(self) -> int:
        """The number of frames that are not scored yet."""
        return self._in_progress + sum(isinstance(item, Frame) for item in self._items)

    def add(self, item: Any) -> None:
        """Add an item; the end of the channel drops all others, that of an episode its frames."""
        if isinstance(item, Close):
            self._items.clear()
        elif isinstance(item, EpisodeRequest | End):  # waiting frames are of an earlier episode
            self._items = deque(waiting for waiting in self._items if isinstance(waiting, Call))
        self._items.append(item)

    def make_room(self, most: int) -> bool:
        """Drop the oldest frame if `most` are waiting; return whether none was dropped."""
        waiting = [item for item in self._items if isinstance(item, Frame)]
        # Frames that thin the episode are kept: without them it would grow beyond its limit.
        droppable = [frame for frame in waiting if not frame.sample.thin]
        if len(waiting) < most or not droppable:
            return True
        self._items.remove(droppable[0])
        return False

    def take(self) -> list[Any]:
        """Return all items; their frames count until `finish`."""
        items = list(self._items)
        self._items.clear()
        self._in_progress = sum(isinstance(item, Frame) for item in items)
        return items

    def finish(self) -> None:
        """Note that what was taken is done."""
        self._in_progress = 0
