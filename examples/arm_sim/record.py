# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Episodes of all kinds of outcomes as videos, with their true progress per frame."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from topreward_ros.files import write_json
from topreward_ros.results.video import write_video

from .operator import KINDS
from .rendering import Cameras
from .world import World

# Half of the episodes succeed
TURNS = tuple(kind for failure in KINDS[1:] for kind in ('success', failure))


def record_episodes(
    arm: str, folder: Path, *, episodes: int, seed: int = 0, size: int = 128, fps: float = 4.0
) -> int:
    """Write `NNNN.mp4` and `NNNN.json` for each episode; determined by arm and seed.

    Each episode is of the seed `seed` + its number, on a table of its own, from the arm's home.
    The JSON has task, kind, success and the true progress of every frame. Returns an exit code.
    """
    folder.mkdir(parents=True, exist_ok=True)
    world = World(arm)
    cameras = Cameras(world, size, size)
    frames_written, began = 0, time.process_time()
    for k in range(episodes):
        kind = TURNS[k % len(TURNS)]
        frames, progress = record_episode(world, cameras, seed + k, kind, 1 / fps)
        write_video(folder / f'{k:04d}.mp4', frames, fps)
        facts = {
            'arm': arm,
            'seed': seed + k,
            'kind': kind,
            'task': world.task.say(),
            'success': world.truth().success,
            'fps': fps,
            'progress': [round(value, 4) for value in progress],
        }
        write_json(folder / f'{k:04d}.json', facts)
        frames_written += len(frames)
        print(f'{k:04d} {kind}: {facts["task"]} success: {facts["success"]}', flush=True)
    cameras.close()
    seconds = (time.process_time() - began) / max(1, frames_written)
    print(f'{frames_written} frames, {seconds:.3f} CPU s per frame')
    return 0


def record_episode(
    world: World, cameras: Cameras, seed: int, kind: str, period: float
) -> tuple[list[np.ndarray], list[float]]:
    """Return the frames of an episode, uint8 RGB (H, W, 3), every period [s], and its progress."""
    world.restart(seed)
    world.operate(kind, seed)
    frames: list[np.ndarray] = []
    progress: list[float] = []

    def take() -> None:
        frames.append(cameras.take('top'))
        progress.append(world.truth().progress)

    world.run_episode(take, period)
    return frames, progress
