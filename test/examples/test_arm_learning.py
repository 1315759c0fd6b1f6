# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The simulated arm as an environment, and both experiments in it, in a small form."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip('gymnasium', reason='the extra "learning" is not installed')
pytest.importorskip(
    'mujoco', reason="mujoco is not installed: pip install -c constraints.txt '.[sim]'"
)

from examples.learning import offline, online
from examples.learning.arm_world import ArmWorld
from examples.learning.demonstrations import demonstrations, intended
from examples.learning.policy import Policy
from examples.learning.worlds import closed_at_the_end, scorer_of
from topreward_ros.demo.model import settings_for
from topreward_ros.learning import episode_rewards
from topreward_ros.reward.live import RewardOptions

SMALL = ('--world', 'so101', '--tables', '2', '--cloning-steps', '20', '--seeds', '0')
KINDS = {'good': 0.5, 'wrong block': 0.25, 'dropped': 0.25}
CLOSE, OPEN = np.array([0, 0, 1.0]), np.array([0, 0, -1.0])


@pytest.fixture(scope='module')
def world() -> Iterator[ArmWorld]:
    arm = ArmWorld('so101')
    yield arm
    arm.close()


def walk(world: ArmWorld, seed: int, offset: float = 0.0) -> list[bool]:
    """Let an operator do it who takes the place to be elsewhere; return where it was done."""
    observation, info = world.reset(seed=seed)
    rewards, done = [info['true_progress']], []
    for _ in range(world.steps):
        action = intended(observation, np.array([offset, 0]), 0.03)
        observation, reward, _, truncated, info = world.step(action)
        rewards.append(reward)
        done.append(info['is_done'])
    assert truncated and sum(rewards) == pytest.approx(info['true_progress'])
    return done


@pytest.mark.parametrize('name', ['so101', 'panda'])
def test_an_operator_who_knows_the_place_succeeds(name: str) -> None:
    world = ArmWorld(name)
    assert sum(walk(world, seed)[-1] for seed in range(4)) >= 3
    world.close()


def test_an_operator_who_takes_it_to_be_elsewhere_fails(world: ArmWorld) -> None:
    assert not any(walk(world, seed, offset=0.25)[-1] for seed in range(3))


def test_a_seed_is_one_table_whatever_was_before(world: ArmWorld) -> None:
    first, _ = world.reset(seed=3)
    task, picture = world.task, world.render()
    assert picture.shape == (128, 128, 3) and picture.dtype == np.uint8
    for _ in range(world.steps):
        _, reward, *_ = world.step(OPEN)
        assert abs(reward) < 1e-3, 'nothing comes of standing still'
    walk(world, 4)
    again, _ = world.reset(seed=3)
    assert np.array_equal(first, again) and world.task == task
    assert np.array_equal(picture, world.render())


def test_the_gripper_grasps_what_is_there(world: ArmWorld) -> None:
    """Beside all blocks it closes around nothing; on the block it holds that one and no other."""
    observation, _ = world.reset(seed=1)
    observation, *_ = world.step(CLOSE)
    assert observation[6] == 0 and observation[7] == 0
    world.step(OPEN)
    for _ in range(world.steps):
        if np.linalg.norm(observation[:2]) < 0.03:
            break
        observation, *_ = world.step(np.append(np.clip(observation[:2] / 0.08, -1, 1), -1.0))
    observation, *_ = world.step(CLOSE)
    assert observation[6] == 1
    assert [world.observed(task)[6] for task in world.other_blocks()] == [0, 0]
    observation, *_ = world.step(OPEN)
    assert observation[6] == 0 and observation[7] == 1


def test_the_model_sees_the_progress() -> None:
    """Of demonstrations of three kinds, scored in one pass, against the truth."""
    with closed_at_the_end('so101'):
        shown = demonstrations(5, 12, KINDS, look=True, world='so101')
    scorer, reading = scorer_of('so101', 'robometer'), RewardOptions(**settings_for('robometer'))
    seen = [
        episode_rewards(scorer, each.task, list(each.pictures), seconds=0.5, reward=reading).sum()
        for each in shown
    ]
    truth = [each.progress[-1] for each in shown]
    assert np.std(truth) > 0.1 and np.corrcoef(seen, truth)[0, 1] > 0.7
    with pytest.raises(ValueError, match='no small topreward has learned to see the world so101'):
        scorer_of('so101', 'topreward')


def test_a_policy_is_refined_by_rewards(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = (*SMALL, '--iterations', '1', '--episodes', '2', '--demonstrations', '3')
    online.main([str(tmp_path), *small])
    files = sorted(tmp_path.glob('*-*.json'))
    assert [file.name for file in files] == ['noise-0.json', 'robometer-0.json', 'true-0.json']
    results = [json.loads(file.read_text()) for file in files]
    assert len({each['before'] for each in results}) == 1, 'one base policy for a seed'
    with pytest.raises(SystemExit):
        online.main([str(tmp_path), *small, '--rewards', 'topreward'])
    assert 'expected one of robometer' in capsys.readouterr().err


def test_all_rewards_are_of_the_same_episodes(tmp_path: Path) -> None:
    """Until the policy learns: its actions and tables do not depend on who rewards it."""
    options = online._parser().parse_args([str(tmp_path), '--world', 'so101'])
    policy, played = Policy(), {}
    with closed_at_the_end('so101'):
        for name in ('true', 'robometer', 'noise'):
            torch.manual_seed(0)
            with online.player(name, 0, options) as player:
                played[name] = player(policy, [1, 2])
    true, robometer, noise = played.values()
    for other in (robometer, noise):
        assert np.array_equal(other.observations, true.observations)
        assert np.array_equal(other.actions, true.actions) and other.tasks == true.tasks
    rewards = [each.rewards for each in (true, robometer, noise)]
    assert len({each.tobytes() for each in rewards}) == 3 and np.std(rewards[2]) > 0.05


def test_policies_are_cloned_with_weights(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    offline.main([str(tmp_path), *SMALL, '--demonstrations', '4'])
    assert 'robometer, RA-BC' in capsys.readouterr().out
    tables = list((tmp_path / 'scores-robometer').glob('demonstrations-0/*/scores.csv'))
    assert len(tables) == 4 and len(list(tmp_path.glob('*-*.json'))) == 6
