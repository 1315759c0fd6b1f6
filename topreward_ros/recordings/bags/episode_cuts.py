# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where episodes begin and end, from the messages of a bag in their order.

What the reward node does live, by the same window: a new text on the task topic begins an episode
and an empty one stops scoring, `start_episode` begins a new attempt, and so does a jump of the
image stamps. Besides, the reset node's `running` says which images are of an episode at all.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field

from topreward_ros.scoring.sampling import FrameWindow, Verdict


@dataclass
class Cut:
    """The images of an episode: times of the bag and stamps [ns], in the order of the bag.

    task is the text in force, or None where the bag has said none.
    """

    task: str | None
    times: array[int] = field(default_factory=lambda: array('q'))
    stamps: array[int] = field(default_factory=lambda: array('q'))

    def add(self, time: int, stamp: int) -> None:
        self.times.append(time)
        self.stamps.append(stamp)


class EpisodeCutter:
    """Is told of every message in the order of the bag, and keeps the episodes in `cuts`.

    window samples as the node that would watch; says_tasks is whether the bag has texts at all:
    then no image before the first of them is of an episode.
    """

    def __init__(self, window: FrameWindow, says_tasks: bool) -> None:
        self.cuts: list[Cut] = []
        self._window = window
        self._says_tasks = says_tasks
        self._task: str | None = None
        self._stopped = says_tasks
        self._running: bool | None = None
        self._begun = False  # by a start_episode, of which `running` has not told yet
        self._fresh = True  # the next image begins an episode

    def on_task(self, text: str) -> None:
        """The same text again is no boundary; a blank one stops."""
        if text == self._task:
            return
        self._task = text
        self._stopped = not text.strip()
        self._fresh = True

    def on_start_episode(self) -> None:
        """A new attempt, even where `running` is still false: it tells a moment later."""
        self._fresh = True
        self._begun = True

    def on_running(self, running: bool) -> None:
        """True begins an episode, where none has begun already, and False ends it."""
        if running and not self._running and not self._begun:
            self._fresh = True
        self._running = running
        self._begun = False

    def on_image(self, time: int, stamp: int) -> None:
        """Belongs to the present episode, to a new one, or to none."""
        if self._stopped or (self._running is False and not self._begun):
            return
        verdict = self._window.judge(stamp)
        if self._fresh or verdict in (Verdict.JUMPED_BACK, Verdict.JUMPED_AHEAD):
            self._fresh = False
            self._window.start()
            self.cuts.append(Cut(self._task))
            verdict = Verdict.KEEP
        if verdict is Verdict.KEEP:
            self._window.take(stamp)
        else:
            self._window.see(stamp)
        self.cuts[-1].add(time, stamp)
