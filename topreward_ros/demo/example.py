# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The clip that is played where none is given: an episode of the small world, at an easy pace."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .drawing import count_frames, film
from .scene import SceneEpisode

EPISODE = SceneEpisode(4, 'success')
TASK = EPISODE.task.say()
FPS = 15.0
SPEED = 0.6
REST = 2.5  # at the end, long enough to be called a success at 2 frames a second [s]
COUNT = count_frames(EPISODE, FPS, SPEED) + round(REST * FPS)


def example() -> Iterator[np.ndarray]:
    """COUNT frames, uint8 RGB (480, 480, 3), at FPS."""
    frames = film(EPISODE, FPS, speed=SPEED)
    last = None
    for last in frames:
        yield last
    assert last is not None
    for _ in range(round(REST * FPS)):
        yield last
