# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Episodes of the small world as files, with what is true of each."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track

from ..demo.drawing import film
from ..demo.scene import Episode
from ..demo.tasks import known_tasks
from .film import write_video
from .labelled import MANIFEST, TRUTH
from .whole_files import write_json

POINTS = 31  # of the truth


def write_recordings(
    folder: Path, seeds: Sequence[int], kinds: Sequence[str], fps: float, size: tuple[int, int]
) -> None:
    """An MP4 for each seed, of the kinds and the tasks that the demo's model knows in turn, and
    curves.json with task, success and true progress of each. size is width and height [px].
    The folder appears when it is whole.
    """
    part = folder.with_name(f'.{folder.name}.part')
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    tasks = known_tasks()
    width, height = size
    clips: list[dict[str, Any]] = []
    for number, seed in enumerate(track(seeds, 'episodes')):
        kind = kinds[number % len(kinds)]
        task = tasks[int(np.random.default_rng(seed).integers(len(tasks)))]
        episode = Episode(seed, kind, task)
        file = f'{seed:05d}_{kind}.mp4'
        write_video(part / file, film(episode, fps, height, width), fps)
        times = np.linspace(0, episode.seconds, POINTS)
        truth = [round(float(episode.progress(float(time))), 4) for time in times]
        clips.append(
            {'file': file, 'task': episode.task.say(), 'success': episode.is_success, TRUTH: truth}
        )
    write_json(part / MANIFEST, {'clips': clips})
    part.rename(folder)
