# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A step of a reset that waits until the scene looks unfinished."""

from __future__ import annotations

import math
import time

from rclpy.node import Node

from topreward_ros.msg import Progress

from .episode_messages import EpisodeMessages
from .episode_start import EpisodeStart
from .reset import ResetError
from .settings import ResetSettings

FINISHED = (Progress.SCENE_FINISHED, Progress.SCENE_FINISHED_AT_START)


class UnfinishedScene:
    """Begins an episode of the reward node that only looks, and waits for its judgement.

    A scene that looks finished gets another episode, as its scores may be of pictures from before.
    The time limit is measured by the steady clock: scores stop when a simulator pauses.
    """

    phase = 'waiting for a scene that looks unfinished'
    distance = math.nan

    def __init__(self, node: Node, settings: ResetSettings) -> None:
        self._settings = settings
        self._start = EpisodeStart(node, settings.reward_node)
        self._messages = EpisodeMessages(node, settings.reward_node, self._on_progress)
        self._task = ''
        self._scene: int | None = None  # by the newest progress
        self._looked_finished = False  # at any time since `begin`
        self._following = False
        self._deadline = 0.0

    def begin(self, task: str) -> None:
        self.stop()
        self._task = task
        self._scene, self._looked_finished = None, False
        self._deadline = time.monotonic() + self._settings.reset_time_limit

    def is_done(self) -> bool:
        if self._scene == Progress.SCENE_UNFINISHED:
            self.stop()
            return True
        if time.monotonic() > self._deadline:
            problem = self._problem()
            self.stop()
            raise ResetError(f'{problem}, {self._settings.reset_time_limit} s after the reset')
        is_finished = self._scene == Progress.SCENE_FINISHED_AT_START
        if is_finished or self._messages.replaced_by() is not None:
            self._following = False
        if not self._following and (episode := self._start.poll()) is not None:
            self._following, self._scene = True, None
            self._messages.follow(episode, self._task)
        return False

    def stop(self) -> str:
        self._following = False
        self._start.cancel()
        self._messages.follow(None)
        return ''

    def close(self) -> None:
        self.stop()
        self._start.close()
        self._messages.close()

    def _on_progress(self, message: Progress) -> None:
        if self._following:
            self._scene = message.scene
            self._looked_finished |= message.scene in FINISHED

    def _problem(self) -> str:
        if self._start.problem:
            return self._start.problem
        if self._looked_finished:
            return 'the scene still looks finished'
        return 'the reward node has not judged the scene'
