# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Episodes of the small world, rendered once, with where everything is in every frame."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from rich.progress import track

from topreward_ros.demo.drawing import Camera
from topreward_ros.demo.model import LEAST, SIDE
from topreward_ros.demo.scene import Episode, State, relative_progress
from topreward_ros.demo.tasks import COLOURS, PLACES, Task, known_tasks
from topreward_ros.scoring.video import fit

THINGS = (*COLOURS, *PLACES, 'gripper')
FRAMES = 20
# Wrong objects and targets need no episodes of their own: they are questions about these.
KINDS = {'success': 0.6, 'undone': 0.25, 'short': 0.1, 'still': 0.05}
CAMERA_SIDES = (96, 200)  # cameras are of a size between these [px]
FIRST_SEED = 1_000_000  # seeds below this are left for tests, evaluation and the demo


@dataclass(frozen=True)
class Pool:
    """frames: uint8 (n, FRAMES, 3, SIDE, SIDE); points: (n, FRAMES, things, 2), NaN where a thing
    is not on the table; tasks: what the arm does in each episode.
    """

    frames: torch.Tensor
    points: np.ndarray
    tasks: list[Task]

    def labels(self, episode: int, first: int, frame: int, tasks: list[Task]) -> np.ndarray:
        """P("True") that the model shall give to each task at a frame, begun at another."""
        block = [THINGS.index(task.object) for task in tasks]
        target = [THINGS.index(task.target) for task in tasks]
        start, now = self.points[episode, first], self.points[episode, frame]
        done = relative_progress(
            (start[block], start[target], start[-1:]), (now[block], now[target], now[-1:])
        )
        return np.asarray(LEAST + (1 - 2 * LEAST) * done)

    def questions(self, episode: int, first: int) -> list[Task]:
        """Tasks that can be asked of this table: known, and not done already at that frame."""
        points = self.points[episode, first]
        return [task for task in known_tasks() if _distance(points, task) > 0.15]


def _distance(points: np.ndarray, task: Task) -> float:
    block, target = points[THINGS.index(task.object)], points[THINGS.index(task.target)]
    return float(np.linalg.norm(block - target))  # NaN where one is missing


def make_pool(episodes: int, seed: int, processes: int) -> Pool:
    seeds = range(FIRST_SEED * (1 + seed), FIRST_SEED * (1 + seed) + episodes)
    with ProcessPoolExecutor(processes) as executor:
        rendered = list(
            track(executor.map(_render, seeds, chunksize=16), 'rendering', total=episodes)
        )
    frames, points, tasks = zip(*rendered, strict=True)
    return Pool(torch.from_numpy(np.stack(frames)), np.stack(points), list(tasks))


def _render(seed: int) -> tuple[np.ndarray, np.ndarray, Task]:
    random = np.random.default_rng(seed)
    episode = Episode(seed, str(random.choice(list(KINDS), p=list(KINDS.values()))))
    side = int(random.integers(*CAMERA_SIDES))
    camera = Camera(side, side, episode.appearance, noise=float(random.uniform(0, 4)))
    states = [episode.state(time) for time in episode.times(FRAMES)]
    frames = [fit(camera.take(state), (SIDE, SIDE)).numpy() for state in states]
    return np.stack(frames), np.stack([_points(state) for state in states]), episode.done


def _points(state: State) -> np.ndarray:
    nowhere = (np.nan, np.nan)
    things = {**state.blocks, **state.places, 'gripper': state.gripper}
    return np.array([things.get(name, nowhere) for name in THINGS], np.float32)
