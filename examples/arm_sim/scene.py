# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The table: three blocks and two targets before an arm, placed at random by a seed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np

from topreward_ros.demo.tasks import Task
from topreward_ros.errors import TopRewardError

from .arm import Arm
from .kinematics import InverseKinematics

COLOURS = {
    'red': (0.85, 0.1, 0.1, 1.0),
    'green': (0.1, 0.65, 0.15, 1.0),
    'blue': (0.1, 0.25, 0.9, 1.0),
    'yellow': (0.95, 0.85, 0.1, 1.0),
    'purple': (0.55, 0.15, 0.7, 1.0),
}
BLOCKS = 3
TARGETS = ('plate', 'tray')
TARGET_COLOURS = {'plate': (0.97, 0.97, 0.97, 1.0), 'tray': (0.2, 0.16, 0.14, 1.0)}
TABLE_COLOUR = (0.68, 0.58, 0.46, 1.0)
THICKNESS = 0.0015  # of half a target [m]
LARGEST_YAW = 0.3  # of a block [rad]
TRIES = 2000
LEAST_DETOUR = 0.9  # distance between both targets, over that of a block from its target


class SceneError(TopRewardError):
    """A scene that cannot be set up."""


@dataclass(frozen=True)
class Layout:
    """Where everything is in the beginning: x and y [m] by name, the yaw of the blocks [rad]."""

    blocks: dict[str, tuple[float, float]]
    yaws: dict[str, float]
    targets: dict[str, tuple[float, float]]


def build_model(arm: Arm) -> Any:
    """Return the MuJoCo model of an arm with table, blocks, targets and cameras."""
    spec = mujoco.MjSpec.from_file(str(arm.model_file()))
    spec.option.timestep = 0.002
    spec.option.noslip_iterations = 5
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    spec.visual.quality.offsamples = 0
    spec.visual.headlight.ambient = [0.45] * 3
    spec.visual.headlight.diffuse = [0.2] * 3
    spec.visual.headlight.specular = [0.0] * 3
    for geom in spec.geoms:
        if geom.name in arm.contact_geoms:
            geom.contype = geom.conaffinity = 1
    _recolour(spec, arm)
    world = spec.worldbody
    world.add_light(
        pos=[0.2, 0, 2], dir=[0, 0, -1], castshadow=False, diffuse=[0.35] * 3, specular=[0] * 3
    )
    world.add_geom(
        name='table', type=mujoco.mjtGeom.mjGEOM_PLANE, size=[3, 3, 0.01], rgba=TABLE_COLOUR
    )
    _add_things(world, arm)
    for name, view in arm.cameras.items():
        if 'body' in view:
            _fix_camera(spec.body(view['body']), name, view)
        elif 'model_camera' not in view:
            _add_camera(world, name, view)
    return spec.compile()


def _recolour(spec: Any, arm: Arm) -> None:
    if not arm.recolour:
        return
    for material in spec.materials:
        if np.allclose(material.rgba[:3], arm.recolour['from'], atol=0.01):
            material.rgba = [*arm.recolour['to'], 1.0]


def _add_things(world: Any, arm: Arm) -> None:
    half, wide = arm.table.half_block, arm.table.half_target
    box, disc = mujoco.mjtGeom.mjGEOM_BOX, mujoco.mjtGeom.mjGEOM_CYLINDER
    for k in range(BLOCKS):
        body = world.add_body(name=f'block{k}', pos=[0.3, 0.1 * k, half])
        body.add_freejoint(name=f'block{k}')
        body.add_geom(name=f'block{k}', type=box, size=[half] * 3, mass=0.06, friction=[1, 0.01, 0])
    for name, colour in TARGET_COLOURS.items():
        body = world.add_body(name=name, pos=[0.3, 0.3, THICKNESS])
        kind = disc if name == 'plate' else box
        size = [wide, THICKNESS, 0] if name == 'plate' else [wide, wide, THICKNESS]
        # Flat and without contacts: a block rests on the table
        body.add_geom(name=name, type=kind, size=size, rgba=colour, contype=0, conaffinity=0)


def _add_camera(world: Any, name: str, view: dict[str, Any]) -> None:
    """Add a camera that looks at a point, placed as MuJoCo's free camera."""
    turn, rise = np.deg2rad([view['azimuth'], view['elevation']])
    forward = np.array([np.cos(rise) * np.cos(turn), np.cos(rise) * np.sin(turn), np.sin(rise)])
    right = np.array([np.sin(turn), -np.cos(turn), 0.0])
    up = np.cross(right, forward)
    place = np.array(view['lookat']) - view['distance'] * forward
    quaternion = _quaternion(np.stack([right, up, -forward], axis=1))
    world.add_camera(name=name, pos=place, quat=quaternion, fovy=view['fovy'])


def _fix_camera(body: Any, name: str, view: dict[str, Any]) -> None:
    """Fix a camera to a body that it moves with; place, lookat and up are in its frame."""
    forward = np.array(view['lookat']) - np.array(view['place'])
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, view['up'])
    right /= np.linalg.norm(right)
    axes = np.stack([right, np.cross(right, forward), -forward], axis=1)
    body.add_camera(name=name, pos=view['place'], quat=_quaternion(axes), fovy=view['fovy'])


def _quaternion(axes: np.ndarray) -> np.ndarray:
    quaternion = np.zeros(4)
    mujoco.mju_mat2Quat(quaternion, axes.flatten())
    return quaternion


def draw_layout(arm: Arm, kinematics: InverseKinematics, seed: int) -> Layout:
    """Return places that the arm reaches, apart from each other; determined by the seed."""
    random = np.random.default_rng([seed, 1])
    colours = [str(name) for name in random.permutation(list(COLOURS))[:BLOCKS]]
    names = [*colours, *TARGETS]
    table = arm.table
    places: list[np.ndarray] = []
    yaws: list[float] = []
    for _ in range(TRIES):
        if len(places) == len(names):
            break
        if places and random.uniform() < 0.03:  # begin anew: the others may stand in the way
            places, yaws = [], []
        radius = np.sqrt(random.uniform(table.radius[0] ** 2, table.radius[1] ** 2))
        angle, yaw = (
            random.uniform(table.angle[0], table.angle[1]),
            random.uniform(-LARGEST_YAW, LARGEST_YAW),
        )
        place = np.array(table.center) + radius * np.array([np.cos(angle), np.sin(angle)])
        room = table.spacing + (table.half_target - table.half_block) * (len(places) >= BLOCKS)
        if any(np.linalg.norm(place - other) < room for other in places):
            continue
        if _is_reached(arm, kinematics, place, yaw):
            places.append(place)
            yaws.append(float(yaw))
    else:
        raise SceneError(f'seed {seed} gives no table on which everything has its place')
    at = {name: (float(p[0]), float(p[1])) for name, p in zip(names, places, strict=True)}
    return Layout(
        {name: at[name] for name in colours},
        dict(zip(colours, yaws, strict=False)),
        {name: at[name] for name in TARGETS},
    )


def _is_reached(arm: Arm, kinematics: InverseKinematics, place: np.ndarray, yaw: float) -> bool:
    high = kinematics.solve(np.array([*place, arm.hover_height]), yaw)
    if high is None:
        return False
    return kinematics.solve(np.array([*place, arm.grasp_height]), yaw, high) is not None


def set_up(model: Any, data: Any, arm: Arm, layout: Layout) -> None:
    """Put blocks and targets where the layout has them; the arm stays where it is."""
    for k, (colour, (x, y)) in enumerate(layout.blocks.items()):
        model.geom_rgba[model.geom(f'block{k}').id] = COLOURS[colour]
        joint = model.joint(f'block{k}')
        first, dof = joint.qposadr[0], joint.dofadr[0]
        yaw = layout.yaws[colour] / 2
        data.qpos[first : first + 7] = (
            x, y, arm.table.half_block, np.cos(yaw), 0, 0, np.sin(yaw),
        )  # fmt: skip
        data.qvel[dof : dof + 6] = 0.0
    for name, (x, y) in layout.targets.items():
        model.body_pos[model.body(name).id] = (x, y, THICKNESS)
    mujoco.mj_forward(model, data)


def draw_task(layout: Layout, seed: int) -> Task:
    """Return a task of this table, determined by the seed; raises SceneError if none is suitable.

    In a suitable one the other target is not on the block's way: a block that is put there has
    hardly come closer to its own.
    """
    tasks = [Task(colour, name) for colour in layout.blocks for name in TARGETS]
    apart = [task for task in tasks if _detour(layout, task) >= LEAST_DETOUR]
    if not apart:
        raise SceneError(
            f'seed {seed} gives no task: every block is farther from both targets than these are '
            'from each other'
        )
    return apart[np.random.default_rng([seed, 2]).integers(len(apart))]


def _detour(layout: Layout, task: Task) -> float:
    """Return the distance between both targets, over that of a task's block from its target."""
    goal = layout.targets[task.target]
    between = math.dist(*layout.targets.values())
    return between / math.dist(layout.blocks[task.object], goal)
