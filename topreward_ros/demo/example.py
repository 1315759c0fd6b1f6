# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The clip that is played where none is given: an episode of the small world, at an easy pace."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .drawing import count_frames, film
from .scene import Episode

EPISODE = Episode(4, 'success')
TASK = EPISODE.task.say()
FPS = 15.0
SPEED = 0.6
COUNT = count_frames(EPISODE, FPS, SPEED)


def example() -> Iterator[np.ndarray]:
    """COUNT frames, uint8 RGB (480, 480, 3), at FPS."""
    return film(EPISODE, FPS, speed=SPEED)
