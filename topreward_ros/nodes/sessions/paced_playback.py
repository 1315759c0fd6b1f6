# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A clip played as fast as the reward node scores it, in simulated time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from rclpy.parameter import Parameter

from topreward_ros.scoring.sampling import NANOSECONDS, FrameWindow, Verdict

from ..cameras.video_publisher import DISCOVERY_TIME, VideoPublisher
from ..common.diagnostics import KEY_REFUSED, LEVEL_ERROR
from .session import Session

TICK = 0.005  # from one look for an answer, and one tick of the clock, to the next [s]
RETRY = 1.0  # after which an image that the node has not taken is published again [s]


def play_paced(
    session: Session,
    window: FrameWindow,
    check: Callable[[], None],
    show: Callable[[float], None],
    *,
    remappings: Mapping[str, str],
    parameters: Mapping[str, Any],
) -> None:
    """Play a clip as `PacedPlayback` does, by a video publisher in this process."""
    rules = [part for pair in remappings.items() for part in ('-r', ':='.join(pair))]
    overrides = [Parameter(name, value=value) for name, value in parameters.items()]
    camera = VideoPublisher(parameter_overrides=overrides, cli_args=['--ros-args', *rules])
    session.add(camera)
    try:
        PacedPlayback(camera, session, window, check).play(show)
    finally:
        camera.destroy_node()


class PacedPlayback:
    """Plays a camera's clip, and waits after each image that the node keeps for its answer.

    The window is as the node's, so it tells which images those are. The camera publishes /clock,
    and one more image is never on its way: none can be late, or be dropped as another waits.
    check is called while waiting, and raises where the node has ended.
    """

    def __init__(
        self,
        camera: VideoPublisher,
        session: Session,
        window: FrameWindow,
        check: Callable[[], None],
    ) -> None:
        self._camera = camera
        self._session = session
        self._window = window
        self._check = check
        self._clock = 0  # newest time published [ns]
        self._due = 0  # images so far that the node keeps

    def play(self, show: Callable[[float], None]) -> None:
        """Play to the end, or until the node has stopped scoring; show gets the clip's time [s]."""
        while not self._camera.is_awaited:
            self._listen(TICK)
        self._listen(DISCOVERY_TIME)
        began = time.time_ns()
        for clip_time, image in self._camera.clip.frames():
            stamp = began + round(clip_time * NANOSECONDS)
            self._tick(stamp)
            self._camera.show(image, stamp)
            self._listen(TICK / 5)
            if self._is_due(stamp):
                self._await_answer(image, stamp)
                show(clip_time)
            if self._has_stopped:
                return

    def _is_due(self, stamp: int) -> bool:
        """Return whether the node keeps the image with this stamp; the window moves on."""
        verdict = self._window.judge(stamp)
        if verdict is Verdict.SKIP:
            self._window.skip(stamp)
            return False
        if verdict is not Verdict.KEEP:  # a jump, at which the node begins an episode
            self._window.start()
        self._window.take(stamp)
        self._due += 1
        return True

    def _await_answer(self, image: np.ndarray, stamp: int) -> None:
        """Wait for the score of an image, or for the node to have done with it without one.

        The clock goes on by at most an interval, which opens the node's gate for the image.
        """
        published = shown = time.monotonic()
        limit = stamp + round(self._window.interval * NANOSECONDS)
        while self._session.recorder.newest_stamp < stamp and not self._has_stopped:
            self._listen(TICK)
            if self._is_taken:
                if self._is_done_since(published):
                    return
                continue
            self._tick(min(self._clock + round(TICK * NANOSECONDS), limit))
            if time.monotonic() - shown > RETRY:  # lost on its way; the node keeps it once
                self._camera.show(image, stamp)
                shown = time.monotonic()

    def _tick(self, stamp: int) -> None:
        self._clock = max(self._clock, stamp)
        self._camera.tick(self._clock)

    def _listen(self, seconds: float) -> None:
        self._session.listen(seconds)
        self._check()

    @property
    def _is_taken(self) -> bool:
        """Whether the node has kept or refused all images that were due, by its diagnostics."""
        return self._session.recorder.count('images kept', KEY_REFUSED) >= self._due

    def _is_done_since(self, moment: float) -> bool:
        """Whether the node said after this moment [s] that no frame waits for its score."""
        recorder = self._session.recorder
        return recorder.health_time > moment and recorder.fact('frames waiting') == '0'

    @property
    def _has_stopped(self) -> bool:
        """Whether the node scores no more, as scoring has failed."""
        health = self._session.recorder.health
        return health is not None and bool(health.level == LEVEL_ERROR)
