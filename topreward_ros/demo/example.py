# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The default clip of the demo: a slow episode of the small world."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .drawing import count_frames, film
from .scene import SceneEpisode

EPISODE = SceneEpisode(4, 'success')
TASK = EPISODE.task.say()
FPS = 15.0
SPEED = 0.6
HOLD_TIME = 2.5  # of the last frame, long enough to detect success at 2 frames per second [s]
COUNT = count_frames(EPISODE, FPS, SPEED) + round(HOLD_TIME * FPS)


def example() -> Iterator[np.ndarray]:
    """Yield COUNT frames, uint8 RGB (480, 480, 3), at FPS."""
    frames = film(EPISODE, FPS, speed=SPEED)
    last = None
    for last in frames:
        yield last
    assert last is not None
    for _ in range(round(HOLD_TIME * FPS)):
        yield last
