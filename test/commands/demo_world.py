# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recordings of the simulated world that the demo's model knows, without a file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from topreward_ros.demo.drawing import film
from topreward_ros.demo.scene import SceneEpisode
from topreward_ros.demo.tasks import known_tasks
from topreward_ros.recordings.clip import Clip
from topreward_ros.recordings.recording import Recording

FPS, SIDE = 4.0, 96
POINTS = 21


def recording(seed: int, kind: str = 'success') -> Recording:
    """One episode, with its label and its true progress."""
    tasks = known_tasks()
    episode = SceneEpisode(seed, kind, tasks[seed % len(tasks)])
    images = list(film(episode, FPS, SIDE, SIDE))
    name = f'{seed}_{kind}'
    clip = Clip(name, FPS, len(images) / FPS, lambda: ((k / FPS, i) for k, i in enumerate(images)))
    times = np.linspace(0, episode.seconds, POINTS)
    truth = np.array([episode.progress(float(time)) for time in times])
    return Recording(name, clip, episode.task.say(), episode.is_success, truth)


def recordings(seeds: Sequence[int], kinds: Sequence[str]) -> list[Recording]:
    return [recording(seed, kinds[k % len(kinds)]) for k, seed in enumerate(seeds)]


def unwatched(frames: Iterable[np.ndarray], _count: int) -> Iterable[np.ndarray]:
    return frames
