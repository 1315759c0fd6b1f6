# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Rendered clips of the small world, with the position of every object in every frame.

Most clips are episodes. In the others everything but the places is scrambled from frame to frame,
so that every question about two of their frames has a different answer: on them a model learns to
distinguish tasks much earlier than on episodes, in which only one block moves.
"""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.progress import track

from topreward_ros.demo.drawing import SceneRenderer
from topreward_ros.demo.model import P_TRUE_MAX, P_TRUE_MIN, SIDE
from topreward_ros.demo.scene import SceneEpisode
from topreward_ros.demo.table import (
    BESIDE_DISTANCE,
    Point,
    State,
    completion,
    goal_distance,
    relative_progress,
)
from topreward_ros.demo.tasks import COLORS, PLACES, Task, known_tasks
from topreward_ros.files import whole_folder
from topreward_ros.scoring.engine.video import fit

THINGS = (*COLORS, *PLACES, 'gripper')
FRAMES = 20
# Wrong objects and targets need no episodes of their own, as they are questions about these.
KIND_SHARES = {'success': 0.6, 'undone': 0.25, 'short': 0.1, 'still': 0.05}
CAMERA_SIDES = (96, 200)  # range of the cameras' side lengths [px]
FIRST_SEED = 1_000_000  # lower seeds are reserved for tests, evaluation and the demo


@dataclass(frozen=True)
class Pool:
    """Rendered clips: `episodes` episodes, followed by scrambled clips.

    frames: uint8 (n, FRAMES, SIDE, SIDE, 3); points: positions (n, FRAMES, things, 2), NaN for
    things that are not on the table; tasks: what the arm does in each clip.
    """

    frames: torch.Tensor
    points: np.ndarray
    tasks: list[Task]
    episodes: int

    def labels(self, episode: int, first: int, frame: int, tasks: list[Task]) -> np.ndarray:
        """Return the target P("True") of each task at `frame` of a clip that begins at `first`."""
        progress = self.progress(episode, first, frame, tasks)
        return np.asarray(P_TRUE_MIN + (P_TRUE_MAX - P_TRUE_MIN) * progress)

    def progress(self, episode: int, first: int, frame: int, tasks: list[Task]) -> np.ndarray:
        """Return the progress of each task at `frame` of a clip that begins at `first`."""
        things = self.things(episode, first, frame, tasks)
        start, now = ((part[:, 0], part[:, 1], part[:, 2]) for part in np.split(things, 2, axis=1))
        return relative_progress(start, now, _goals(tasks))

    def completion(self, episode: int, frame: int, tasks: list[Task]) -> np.ndarray:
        """Return how complete each task is at one frame, in [0, 1]; see `table.completion`."""
        things = self.things(episode, frame, frame, tasks)
        return completion((things[:, 0], things[:, 1], things[:, 2]), _goals(tasks))

    def things(self, episode: int, first: int, frame: int, tasks: list[Task]) -> np.ndarray:
        """Return block, target and gripper of each task at both frames, (n, 6, 2)."""
        names = [[task.object, task.target, 'gripper'] for task in tasks]
        index = [[THINGS.index(name) for name in row] for row in names]
        return np.concatenate([self.points[episode, f][index] for f in (first, frame)], axis=1)

    def questions(self, episode: int) -> list[Task]:
        """Return the known tasks whose block and target are on this table."""
        present = ~np.isnan(self.points[episode, 0, :, 0])
        return [
            task
            for task in known_tasks()
            if present[THINGS.index(task.object)] and present[THINGS.index(task.target)]
        ]


def read_pool(folder: Path, episodes: int) -> Pool:
    """Read what `write_pool` wrote."""
    frames = torch.from_numpy(np.load(folder / 'frames.npy'))
    names = json.loads((folder / 'tasks.json').read_text(encoding='utf-8'))
    return Pool(frames, np.load(folder / 'points.npy'), [Task(*pair) for pair in names], episodes)


def write_pool(folder: Path, pool: Pool, **more: np.ndarray) -> None:
    """Write a pool into a new folder, for other trainings; more arrays go into state.npz."""
    with whole_folder(folder) as part:
        if more:
            np.savez(part / 'state.npz', **more)
        np.save(part / 'frames.npy', pool.frames.numpy())
        np.save(part / 'points.npy', pool.points)
        names = [(task.object, task.target) for task in pool.tasks]
        (part / 'tasks.json').write_text(json.dumps(names), encoding='utf-8')


def _goals(tasks: list[Task]) -> np.ndarray:
    return np.array([goal_distance(task) for task in tasks])


def make_pool(episodes: int, scrambled: int, seed: int, processes: int) -> Pool:
    """Render a pool in parallel processes."""
    first = FIRST_SEED * (1 + seed)
    clips = [(first + k, k >= episodes) for k in range(episodes + scrambled)]
    with ProcessPoolExecutor(processes) as executor:
        rendered = list(
            track(executor.map(_render, clips, chunksize=16), 'rendering', total=len(clips))
        )
    frames, points, tasks = zip(*rendered, strict=True)
    return Pool(torch.from_numpy(np.stack(frames)), np.stack(points), list(tasks), episodes)


def _render(clip: tuple[int, bool]) -> tuple[np.ndarray, np.ndarray, Task]:
    seed, scrambled = clip
    random = np.random.default_rng(seed)
    episode = SceneEpisode(
        seed, str(random.choice(list(KIND_SHARES), p=list(KIND_SHARES.values())))
    )
    side = int(random.integers(*CAMERA_SIDES))
    camera = SceneRenderer(side, side, episode.appearance, noise=float(random.uniform(0, 4)))
    states = [
        _scramble(random, episode.start) if scrambled else episode.state(time)
        for time in episode.times(FRAMES)
    ]
    frames = [fit(camera.take(state), (SIDE, SIDE)).numpy() for state in states]
    return np.stack(frames), np.stack([_points(state) for state in states]), episode.done


def _scramble(random: np.random.Generator, table: State) -> State:
    """Return the same table with blocks at random: on a place, between, next to each other."""
    blocks: dict[str, Point] = {}
    places = list(table.places.values())
    colors = [list(table.blocks)[k] for k in random.permutation(len(table.blocks))]
    for color in colors:
        while color not in blocks:
            way = random.choice([0.0, 1.0, random.uniform(0, 1)], p=[0.35, 0.35, 0.3])
            goal = np.array(places[random.integers(len(places))]) + random.uniform(-0.02, 0.02, 2)
            point = way * goal + (1 - way) * random.uniform(0.12, 0.88, 2)
            if all(np.hypot(*(point - other)) > 0.11 for other in blocks.values()):
                blocks[color] = float(point[0]), float(point[1])
    moved, other = colors[:2]
    if random.random() < 0.5:
        angle = random.uniform(0, 2 * np.pi)
        x, y = blocks[other] + BESIDE_DISTANCE * np.array([np.cos(angle), np.sin(angle)])
        blocks[moved] = float(x), float(y)
    held = blocks[colors[random.integers(len(colors))]]
    gripper = held if random.random() < 0.4 else tuple(random.uniform(0.1, 0.85, 2))
    return State(
        blocks=blocks,
        places=table.places,
        gripper=(float(gripper[0]), float(gripper[1])),
        gripper_height=float(random.uniform(0.02, 0.08)),
        opening=float(random.uniform(0, 1)),
        moved=moved,
    )


def _points(state: State) -> np.ndarray:
    missing = (np.nan, np.nan)
    things = {**state.blocks, **state.places, 'gripper': state.gripper}
    return np.array([things.get(name, missing) for name in THINGS], np.float32)
