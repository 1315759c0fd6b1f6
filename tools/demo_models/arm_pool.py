# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Rendered clips of the simulated arms (`examples/arm_sim`), for the lessons of the demo's models.

Most clips are episodes of a scripted operator. In the others the arm, the blocks and what it holds
are placed anew in every frame, without physics, as in the drawn world's scrambled clips.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import track

from examples.arm_sim.arm import tool_pose
from examples.arm_sim.rendering import Cameras
from examples.arm_sim.scene import TARGETS
from examples.arm_sim.truth import PLACE_TOLERANCE, REACHED, is_free
from examples.arm_sim.world import World
from topreward_ros.demo.model import SIDE
from topreward_ros.demo.table import APPROACH, CARRY
from topreward_ros.demo.tasks import COLORS, Task
from topreward_ros.scoring.engine.video import fit

from .pool import FRAMES, THINGS, Pool, read_pool, write_pool

ARMS = ('so101', 'panda')
KIND_SHARES = {
    'success': 0.45,
    'undone': 0.2,
    'short': 0.1,
    'dropped': 0.1,
    'wrong_object': 0.05,
    'wrong_target': 0.05,
    'still': 0.05,
}
PICTURE = 128  # side of the camera's pictures [px]
MOST_NOISE = 4.0  # standard deviation of the camera's noise [levels of 255]
FIRST_SEED = 1_000_000  # lower seeds are reserved for tests, evaluation and the demo
STATE = (*COLORS, *TARGETS, 'tool')  # whose positions are kept
# Distances that progress is relative to, at least: of the tool from the block, of the block [m]
LEAST_REACH, LEAST_WAY = 0.1, 0.05


@dataclass(frozen=True)
class ArmPool(Pool):
    """Clips of both arms, and where everything is.

    places: (n, FRAMES, STATE, 3) [m], NaN for blocks that are not there; free: boolean
    (n, FRAMES, colors), blocks at rest on the table that nothing touches; sizes: (n, 2), height of
    a grasp above a block's middle, and greatest distance of a block that is on its target [m].
    """

    places: np.ndarray
    free: np.ndarray
    sizes: np.ndarray

    def progress(self, episode: int, first: int, frame: int, tasks: list[Task]) -> np.ndarray:
        """Return the progress of each task at `frame` of a clip that begins at `first`.

        As the simulation's own, and 0 for a task that was done in the beginning.
        """
        reach_0, way_0, done_0 = self._measured(episode, first, tasks)
        reach, way, done = self._measured(episode, frame, tasks)
        reached = np.clip((reach_0 - reach) / np.maximum(reach_0, LEAST_REACH), 0, 1)
        carried = np.clip((way_0 - way) / np.maximum(way_0, LEAST_WAY), 0, 1)
        value = np.where(done, 1.0, APPROACH * reached + CARRY * carried)
        return np.asarray(np.where(done_0, 0.0, value))

    def questions(self, episode: int) -> list[Task]:
        """Return the tasks whose block is on this table."""
        present = ~np.isnan(self.places[episode, 0, : len(COLORS), 0])
        return [
            Task(color, target)
            for color, is_there in zip(COLORS, present, strict=True)
            for target in TARGETS
            if is_there
        ]

    def _measured(
        self, episode: int, frame: int, tasks: list[Task]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return tool to block and block to target [m], and whether it is done, each (tasks)."""
        places, (grasp, tolerance) = self.places[episode, frame], self.sizes[episode]
        colors = [COLORS.index(task.object) for task in tasks]
        blocks = places[colors]
        targets = places[[STATE.index(task.target) for task in tasks]]
        reach = np.linalg.norm(blocks + np.array([0, 0, grasp]) - places[-1], axis=-1) - REACHED
        way = np.linalg.norm((blocks - targets)[:, :2], axis=-1)
        done = (way < tolerance) & self.free[episode, frame, colors]
        return np.maximum(reach, 0), way, done


def arm_pool(folder: Path, episodes: int, scrambled: int, processes: int) -> ArmPool:
    """Return the clips that lie in a folder, or render them there; half are of each arm.

    Raises ValueError if the folder has another number of clips.
    """
    if not folder.exists():
        _render_pool(folder, episodes, scrambled, processes)
    pool = read_pool(folder, episodes)
    if len(pool.tasks) != episodes + scrambled:
        raise ValueError(
            f'{folder} has {len(pool.tasks)} clips; expected {episodes} episodes and {scrambled} '
            'scrambled ones: ask for as many as it has, or name another folder'
        )
    state = np.load(folder / 'state.npz')
    return ArmPool(**vars(pool), **{key: state[key] for key in ('places', 'free', 'sizes')})


def _render_pool(folder: Path, episodes: int, scrambled: int, processes: int) -> None:
    clips = [(ARMS[k % 2], FIRST_SEED + k, k >= episodes) for k in range(episodes + scrambled)]
    with ProcessPoolExecutor(processes) as executor:
        found = executor.map(_render, clips, chunksize=8)
        rendered = list(track(found, 'rendering', total=len(clips)))
    frames, points, tasks, places, free, sizes = zip(*rendered, strict=True)
    pool = Pool(torch.from_numpy(np.stack(frames)), np.stack(points), list(tasks), episodes)
    write_pool(folder, pool, places=np.stack(places), free=np.stack(free), sizes=np.stack(sizes))


@cache
def _studio(arm: str) -> _Studio:
    return _Studio(arm)


def _render(clip: tuple[str, int, bool]) -> tuple[Any, ...]:
    arm, seed, is_scrambled = clip
    return _studio(arm).clip(seed, is_scrambled)


class _Studio:
    """Films one arm."""

    def __init__(self, arm: str) -> None:
        self._world = World(arm)
        self._cameras = Cameras(self._world, PICTURE, PICTURE)

    def clip(self, seed: int, is_scrambled: bool) -> tuple[Any, ...]:
        """Return frames, points in the picture, the task done, places, free blocks and sizes."""
        random, world = np.random.default_rng(seed), self._world
        self._noise = float(random.uniform(0, MOST_NOISE))
        world.restart(seed)
        shots = []
        if is_scrambled:
            for _ in range(FRAMES):
                self._scramble(random)
                shots.append(self._shot(random))
        else:
            kind = str(random.choice(list(KIND_SHARES), p=list(KIND_SHARES.values())))
            world.operate(kind, seed)
            filmed: list[Any] = []
            world.run_episode(lambda: filmed.append(self._state()), 0.1)
            moments = np.round(np.linspace(0, len(filmed) - 1, FRAMES)).astype(int)
            for moment in moments:
                self._world.data.qpos[:], free = filmed[moment]
                world.refresh()
                shots.append(self._shot(random, free))
        frames, points, places, free = (np.stack(part) for part in zip(*shots, strict=True))
        arm = world.arm
        sizes = arm.grasp_height - arm.table.half_block, PLACE_TOLERANCE * arm.table.half_target
        return frames, points, world.task, places, free, np.array(sizes)

    def _state(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the positions of all joints, and which blocks are free."""
        return self._world.data.qpos.copy(), self._free()

    def _shot(
        self, random: np.random.Generator, free: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return the frame, and of the same moment points, places and free blocks."""
        picture = self._cameras.take('top') + random.normal(0, self._noise, (PICTURE, PICTURE, 3))
        frame = fit(picture.clip(0, 255).astype(np.uint8), (SIDE, SIDE)).numpy()
        places = self._places()
        return frame, self._points(places), places, self._free() if free is None else free

    def _places(self) -> np.ndarray:
        world = self._world
        places = np.full((len(STATE), 3), np.nan)
        for color in world.layout.blocks:
            places[STATE.index(color)] = world.block(color)
        for name, place in world.layout.targets.items():
            places[STATE.index(name)] = (*place, 0)
        places[-1] = tool_pose(world.arm, world.model, world.data)[0]
        return places

    def _free(self) -> np.ndarray:
        """Return which blocks rest on the table with nothing of the arm touching them."""
        world = self._world
        free = np.zeros(len(COLORS), bool)
        for number, color in enumerate(world.layout.blocks):
            free[COLORS.index(color)] = is_free(world.arm, world.model, world.data, number)
        return free

    def _points(self, places: np.ndarray) -> np.ndarray:
        """Return where the things are in the picture, float32 (THINGS, 2) in [0, 1]."""
        world = self._world
        camera = world.model.camera('top').id
        rotation = world.data.cam_xmat[camera].reshape(3, 3)
        seen = (places - world.data.cam_xpos[camera]) @ rotation
        scale = 2 * np.tan(np.deg2rad(world.model.cam_fovy[camera]) / 2)
        flat = 0.5 + seen[:, :2] * [1, -1] / (-seen[:, 2:] * scale)
        points = np.full((len(THINGS), 2), np.nan, np.float32)
        for name, point in zip(STATE, flat, strict=True):
            points[THINGS.index('gripper' if name == 'tool' else name)] = point
        return points

    def _scramble(self, random: np.random.Generator) -> None:
        """Put blocks onto targets, between, next to each other, and the arm anywhere."""
        world, arm = self._world, self._world.arm
        reached: dict[str, np.ndarray] = {}
        goals = list(world.layout.targets.values())
        for color in [str(name) for name in random.permutation(list(world.layout.blocks))]:
            while color not in reached:
                goal = np.array(goals[random.integers(len(goals))])
                goal += random.uniform(-0.5, 0.5, 2) * arm.table.half_target
                way = random.choice([0.0, 1.0, random.uniform(0, 1)], p=[0.3, 0.4, 0.3])
                place = way * goal + (1 - way) * self._anywhere(random)
                apart = [np.linalg.norm(place - other) for other in reached.values()]
                if not apart or min(apart) > 2.9 * arm.table.half_block:
                    reached[color] = place
        near = str(random.choice(list(reached)))
        held, height = random.random() < 0.4, float(random.uniform(0, 1))
        height = arm.grasp_height + height * (arm.hover_height - arm.grasp_height)
        place = reached[near] if random.random() < 0.75 else self._anywhere(random)
        yaw = float(random.uniform(-0.3, 0.3))
        joints = world.kinematics.solve(np.array([*place, height]), yaw)
        if joints is None:
            joints, held = np.array(arm.home), False
        held = held and place is reached[near]
        gripper = arm.gripper
        closed = gripper.closed + 0.35 * (gripper.open - gripper.closed)
        world.drive.place(joints, closed if held else gripper.open)
        for k, color in enumerate(world.layout.blocks):
            joint = world.model.joint(f'block{k}')
            turn = (yaw if held and color == near else random.uniform(-0.3, 0.3)) / 2
            rise = height - arm.grasp_height if held and color == near else 0.0
            world.data.qpos[joint.qposadr[0] :][:7] = (
                *reached[color], arm.table.half_block + rise, np.cos(turn), 0, 0, np.sin(turn),
            )  # fmt: skip
            world.data.qvel[joint.dofadr[0] :][:6] = 0
        world.refresh()

    def _anywhere(self, random: np.random.Generator) -> np.ndarray:
        """Return a place that the arm may reach [m] (2,)."""
        table = self._world.arm.table
        radius, angle = random.uniform(*table.radius), random.uniform(*table.angle)
        return np.array(table.center) + radius * np.array([np.cos(angle), np.sin(angle)])
