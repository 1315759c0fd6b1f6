# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Two arms in physics: what the operator does, what the truth says of it, what the joints do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from examples.arm_sim.installed import SimulatorError, check_installed

try:
    check_installed()
except SimulatorError as _error:
    pytest.skip(str(_error), allow_module_level=True)

from examples.arm_sim.arm import ArmError, load_arm
from examples.arm_sim.operator import KINDS
from examples.arm_sim.rendering import Cameras
from examples.arm_sim.scene import TARGETS, SceneError, draw_layout
from examples.arm_sim.trajectory import Trajectory, TrajectoryError
from examples.arm_sim.world import World

ARMS = ('so101', 'panda')
FAILURES = [kind for kind in KINDS if kind not in ('success', 'still')]


@pytest.fixture(scope='module', params=ARMS)
def world(request: pytest.FixtureRequest) -> World:
    return make_world(request.param)


def make_world(name: str) -> World:
    try:
        return World(name)
    except ArmError as error:  # its package is not installed
        pytest.skip(str(error))


def attempt(world: World, kind: str, seed: int) -> list[float]:
    """Return the true progress, ten times a second, of an attempt."""
    world.restart(seed)
    world.operate(kind, seed)
    progress: list[float] = []
    world.run_episode(lambda: progress.append(world.truth().progress), 0.1)
    assert world.operator is not None and world.operator.is_done
    return progress


def test_an_arm_that_is_not_known() -> None:
    with pytest.raises(ArmError, match="arm is 'ur5'; expected one of panda, so101"):
        load_arm('ur5')


@pytest.mark.parametrize('name', ARMS)
def test_an_arm_without_its_package(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('examples.arm_sim.arm.find_spec', lambda _: None)
    with pytest.raises(ArmError, match='is not installed, which brings the model'):
        load_arm(name).model_file()


def test_tables_have_three_blocks_and_two_targets_apart_from_each_other(world: World) -> None:
    seen = set()
    for seed in range(5):
        layout = draw_layout(world.arm, world.kinematics, seed)
        assert layout == draw_layout(world.arm, world.kinematics, seed)
        assert len(layout.blocks) == 3 and set(layout.targets) == set(TARGETS)
        places = np.array([*layout.blocks.values(), *layout.targets.values()])
        apart = np.linalg.norm(places[:, None] - places[None], axis=2)
        assert apart[np.triu_indices(5, 1)].min() >= world.arm.table.spacing
        seen.add(tuple(layout.blocks))
    assert len(seen) > 1


def test_the_wrist_camera_moves_with_the_gripper(world: World) -> None:
    """The gripper stays where it is in the picture, and all else moves."""
    world.restart(3)
    cameras = Cameras(world, 48, 48)
    assert cameras.names == ('top', 'wrist')
    camera = world.model.camera(world.arm.cameras['wrist'].get('model_camera', 'wrist'))
    place = world.data.cam_xpos[camera.id].copy()
    gap = np.linalg.norm(place - world.tool())
    before = cameras.take('wrist').astype(int)
    assert gap < 0.2
    world.operate('success', 3)
    world.run(1.5)
    changed = np.abs(cameras.take('wrist') - before).max(axis=2) > 20
    cameras.close()
    assert 0.2 < changed.mean() < 0.98
    moved = world.data.cam_xpos[camera.id]
    assert np.linalg.norm(moved - place) > 0.02
    assert np.linalg.norm(moved - world.tool()) == pytest.approx(gap, abs=1e-6)


@pytest.mark.parametrize('seed', [3, 4])
def test_the_operator_does_the_task(world: World, seed: int) -> None:
    progress = attempt(world, 'success', seed)
    assert world.truth().success and progress[-1] == 1.0
    assert progress[0] < 0.05
    assert all(0 <= value <= 1 for value in progress)
    rank = np.corrcoef(np.argsort(np.argsort(progress, kind='stable')), range(len(progress)))
    assert rank[0, 1] > 0.9, 'progress does not rise with time'


@pytest.mark.parametrize('kind', FAILURES)
def test_a_failure_is_one_by_the_truth(world: World, kind: str) -> None:
    progress = attempt(world, kind, 5)
    truth = world.truth()
    assert not truth.success and truth.progress < 0.9
    assert max(progress) == 1.0 if kind == 'undone' else max(progress) < 0.95
    assert max(progress) > 0.01 or kind == 'wrong_object'


@pytest.mark.parametrize('kind', ['wrong_object', 'wrong_target'])
def test_another_task_is_no_progress_of_this_one(world: World, kind: str) -> None:
    for seed in range(20, 24):
        attempt(world, kind, seed)
        assert world.truth().progress < 0.3


def test_a_seed_without_a_table_gives_the_next_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def refused(arm: Any, kinematics: Any, seed: int) -> Any:
        tried.append(seed)
        if len(tried) < 3:
            raise SceneError('no table')
        return draw_layout(arm, kinematics, seed)

    monkeypatch.setattr('examples.arm_sim.world.draw_layout', refused)
    world.restart(10)
    assert len(tried) == 3 and len(set(tried)) == 3
    monkeypatch.setattr('examples.arm_sim.world.draw_layout', refuse)
    with pytest.raises(SceneError, match='no table'):
        world.restart(10)


def refuse(*_: Any) -> Any:
    raise SceneError('no table')


def test_standing_still_is_no_progress(world: World) -> None:
    world.restart(6)
    world.operate('still', 6)
    before = world.drive.positions()
    world.run(2.0)
    assert world.truth().progress < 0.02 and not world.truth().success
    assert world.drive.positions() == pytest.approx(before, abs=0.02)


def test_what_the_wrong_kinds_do_is_another_task(world: World) -> None:
    world.restart(7)
    block = world.block(world.task.object)
    attempt(world, 'wrong_object', 7)
    moved = [
        colour
        for colour, place in world.layout.blocks.items()
        if np.linalg.norm(world.block(colour)[:2] - place) > 0.04
    ]
    assert moved and world.task.object not in moved
    assert world.block(world.task.object)[:2] == pytest.approx(block[:2], abs=0.03)


def test_the_same_seed_is_the_same_episode(world: World) -> None:
    first = attempt(world, 'short', 8)
    attempt(world, 'still', 9)
    assert attempt(world, 'short', 8) == first


def home_way(world: World, seconds: float) -> Trajectory:
    rows = np.array([world.arm.home])
    return Trajectory(tuple(world.arm.joints), np.array([seconds]), rows, 0 * rows, 0 * rows)


def test_the_arm_follows_a_trajectory_home_within_the_tolerance_of_the_config(
    world: World,
) -> None:
    world.restart(10)
    ready = np.array([world.arm.tool.ready])
    world.command(Trajectory(tuple(world.arm.joints), np.array([2.0]), ready))
    world.run(2.5)
    assert world.drive.positions() == pytest.approx(ready[0], abs=0.03)
    world.command(home_way(world, 3.0))
    speeds = []
    for _ in range(320):
        world.run(0.01)
        speeds.append(np.abs(world.drive.velocities()))
        inside = world.drive.positions()
        assert (inside > np.array(world.arm.lower_limits) - 0.02).all()
        assert (inside < np.array(world.arm.upper_limits) + 0.02).all()
    assert (np.max(speeds, axis=0) < 1.2 * np.array(world.arm.max_velocity)).all()
    tolerance = {'so101': 0.05, 'panda': 0.02}[world.arm.name]
    world.run(0.3)
    assert world.drive.positions() == pytest.approx(world.arm.home, abs=tolerance / 2)


def test_a_bad_trajectory_moves_nothing(world: World) -> None:
    world.restart(11)
    before = world.drive.positions()
    good = home_way(world, 1.0)
    for changes in ({'joints': ('a', 'b')}, {'positions': np.full_like(good.positions, np.nan)}):
        with pytest.raises(TrajectoryError):
            world.command(Trajectory(**{**vars(good), **changes}))
    world.run(0.5)
    assert world.drive.positions() == pytest.approx(before, abs=0.01)


def test_a_reset_leaves_the_arm_and_is_refused_where_it_would_stand_in_a_block(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.restart(12)
    rows = np.array([world.arm.tool.ready])
    world.command(Trajectory(tuple(world.arm.joints), np.array([2.0]), rows))
    world.run(2.2)
    before, task = world.drive.positions(), world.task
    world.reset(13)
    assert (world.drive.positions() == before).all()
    assert not world.truth().success
    monkeypatch.setattr(world, '_is_in_the_way', lambda: True)
    with pytest.raises(SceneError, match='move it home first'):
        world.reset(14)
    assert task


def test_an_unknown_kind_of_attempt(world: World) -> None:
    with pytest.raises(ValueError, match="kind is 'fly'; expected one of success"):
        world.operate('fly', 0)


def pictures(world: World) -> dict[str, np.ndarray]:
    from examples.arm_sim.rendering import Cameras

    try:
        cameras = Cameras(world, 128, 128)
    except SimulatorError as error:
        pytest.skip(str(error))
    taken = {name: cameras.take(name) for name in cameras.names}
    cameras.close()
    return taken


def test_blocks_and_targets_are_seen_by_the_camera_above(world: World) -> None:
    from examples.arm_sim.scene import COLOURS

    world.restart(0)
    image = pictures(world)['top'].astype(float)
    assert image.shape == (128, 128, 3)
    for colour in world.layout.blocks:
        wanted = np.array(COLOURS[colour][:3])
        shade = image / np.maximum(1.0, np.linalg.norm(image, axis=2, keepdims=True))
        close = np.abs(shade - wanted / np.linalg.norm(wanted)).max(axis=2) < 0.12
        assert (close & (image.max(axis=2) > 60)).sum() > 60, f'{colour} is not seen'


@pytest.mark.parametrize('name', ARMS)
def test_recorded_episodes(name: str, tmp_path: Path, capsys: Any) -> None:
    from examples.arm_sim.record import record_episodes

    pictures(make_world(name))
    assert record_episodes(name, tmp_path, episodes=2, seed=20, size=64, fps=2.0) == 0
    facts = [json.loads((tmp_path / f'000{k}.json').read_text()) for k in range(2)]
    assert [fact['success'] for fact in facts] == [True, False]
    assert [fact['kind'] for fact in facts] == ['success', 'short']
    assert facts[0]['progress'][-1] == 1.0 and facts[0]['progress'][0] < 0.05
    assert (tmp_path / '0001.mp4').stat().st_size > 1000
    assert 'CPU s per frame' in capsys.readouterr().out
