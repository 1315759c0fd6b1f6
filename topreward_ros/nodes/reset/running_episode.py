# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is known of the episode that runs."""

from __future__ import annotations

import math

from topreward_ros.msg import Progress

from .settings import ResetSettings

LOOKED_FINISHED = 'looked finished'  # from its start, so that it can be no success


class RunningEpisode:
    """The newest progress of an episode, and what follows from all of them.

    progress is NaN while there is none, task the one that the reward node has reported, time when
    the newest progress arrived. Times [s] are those of one clock.
    """

    def __init__(self, settings: ResetSettings, now: float) -> None:
        self._settings = settings
        self.began = now
        self.time = now
        self.progress = math.nan
        self.task = ''
        self.was_unfinished = False  # the scene, by the success rule, at any score
        self.was_finished_at_start = False
        self._stall: tuple[float, float] | None = None  # a progress, and since when it has stalled

    def take(self, message: Progress, now: float) -> None:
        """Process the next progress of this episode."""
        self.time, self.progress, self.task = now, message.progress, message.task
        self.was_unfinished |= message.scene == Progress.SCENE_UNFINISHED
        self.was_finished_at_start |= message.scene == Progress.SCENE_FINISHED_AT_START
        if math.isnan(message.progress) or not self._settings.stall_time:
            return
        change = self._stall and abs(message.progress - self._stall[0])
        if change is None or change > self._settings.stall_change:
            self._stall = message.progress, now

    def end(self, now: float) -> str:
        """Return why the episode has to end, as an outcome of the log; empty if it goes on."""
        settings = self._settings
        if self.was_finished_at_start and not self.was_unfinished:
            return LOOKED_FINISHED
        if settings.episode_time and now - self.began >= settings.episode_time:
            return 'time is up'
        if self._stall and now - self._stall[1] >= settings.stall_time:
            return 'stalled'
        return ''
