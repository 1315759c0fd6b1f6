# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Cut a bag into episodes, from its messages in the order of the bag.

The rules are those of the live reward node, with the same frame window: a new text on the task
topic begins an episode and an empty one stops scoring; a call of `start_episode` and a jump of the
image stamps begin a new attempt. The reset node's `running` topic also gives which images belong
to an episode at all.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field

from topreward_ros.scoring.sampling import FrameWindow, Verdict


@dataclass
class Cut:
    """The images of an episode: bag times and header stamps [ns], in the order of the bag.

    task is the newest text on the task topic; None where the bag has none yet.
    """

    task: str | None
    times: array[int] = field(default_factory=lambda: array('q'))
    stamps: array[int] = field(default_factory=lambda: array('q'))

    def add(self, time: int, stamp: int) -> None:
        self.times.append(time)
        self.stamps.append(stamp)


class EpisodeCutter:
    """Collects episodes in `cuts`; its `on_...` methods take the messages in the order of the bag.

    window samples frames as the live node would. has_tasks is whether the bag holds task texts:
    if so, images before the first text belong to no episode.
    """

    def __init__(self, window: FrameWindow, has_tasks: bool) -> None:
        self.cuts: list[Cut] = []
        self._window = window
        self._task: str | None = None
        self._stopped = has_tasks
        self._running: bool | None = None
        self._begun = False  # by a start_episode that `running` does not reflect yet
        self._is_new = True  # the next image begins an episode

    def on_task(self, text: str) -> None:
        """Begin an episode at a new text; stop at a blank one. A repeated text changes nothing."""
        if text == self._task:
            return
        self._task = text
        self._stopped = not text.strip()
        self._is_new = True

    def on_start_episode(self) -> None:
        """Begin a new attempt, even while `running` is false: it becomes true shortly after."""
        self._is_new = True
        self._begun = True

    def on_running(self, running: bool) -> None:
        """Begin an episode at True, unless one has just begun; end it at False."""
        if running and not self._running and not self._begun:
            self._is_new = True
        self._running = running
        self._begun = False

    def on_image(self, time: int, stamp: int) -> None:
        """Add the image to the current episode, to a new one, or to none."""
        if self._stopped or (self._running is False and not self._begun):
            return
        verdict = self._window.judge(stamp)
        if self._is_new or verdict in (Verdict.JUMPED_BACK, Verdict.JUMPED_AHEAD):
            self._is_new = False
            self._window.start()
            self.cuts.append(Cut(self._task))
            verdict = Verdict.KEEP
        if verdict is Verdict.KEEP:
            self._window.take(stamp)
        else:
            self._window.skip(stamp)
        self.cuts[-1].add(time, stamp)
