# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Write episodes of the simulated world to files, with their labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track

from topreward_ros.demo.drawing import film
from topreward_ros.demo.scene import SceneEpisode
from topreward_ros.demo.tasks import known_tasks
from topreward_ros.files import whole_folder, write_json
from topreward_ros.recordings.curves import TRUTH
from topreward_ros.recordings.suffixes import MANIFEST
from topreward_ros.results.video import write_video

POINTS = 31  # of the true progress


def write_recordings(
    folder: Path, seeds: Sequence[int], kinds: Sequence[str], fps: float, size: tuple[int, int]
) -> None:
    """Write an MP4 per seed, and curves.json with task, success and true progress of each.

    The kinds alternate; the tasks are random ones that the demo's model knows. size is width and
    height [px]. The folder appears when it is complete.
    """
    with whole_folder(folder) as part:
        _write(part, seeds, kinds, fps, size)


def _write(
    folder: Path, seeds: Sequence[int], kinds: Sequence[str], fps: float, size: tuple[int, int]
) -> None:
    tasks = known_tasks()
    width, height = size
    clips: list[dict[str, Any]] = []
    for number, seed in enumerate(track(seeds, 'episodes')):
        kind = kinds[number % len(kinds)]
        task = tasks[int(np.random.default_rng(seed).integers(len(tasks)))]
        episode = SceneEpisode(seed, kind, task)
        file = f'{seed:05d}_{kind}.mp4'
        write_video(folder / file, film(episode, fps, height, width), fps)
        times = np.linspace(0, episode.seconds, POINTS)
        truth = [round(float(episode.progress(float(time))), 4) for time in times]
        clips.append(
            {'file': file, 'task': episode.task.say(), 'success': episode.is_success, TRUTH: truth}
        )
    write_json(folder / MANIFEST, {'clips': clips})
