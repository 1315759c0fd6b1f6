# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The episode reset node against a fake arm, a fake scene and a fake reward node, over DDS."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lifecycle_msgs.msg import Transition
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from std_srvs.srv import Trigger

from topreward_ros.nodes.episode_reset_node import EpisodeResetNode

from .fakes import JOINTS, FakeArm, FakeRewardNode, FakeScene

HOME = [0.1, 0.2]
MOTION = {
    'reset': 'home_motion',
    'trajectory_topic': 'arm/joint_trajectory',
    'joints': list(JOINTS),
    'home': HOME,
    'lower_limits': [-1.0, -1.0],
    'upper_limits': [1.0, 1.0],
    'speed': 1.5,
    'reset_time_limit': 1.5,
    'joint_state_timeout': 0.3,
}


class Stage:
    """All players on one executor."""

    def __init__(self, folder: Path) -> None:
        self.executor = SingleThreadedExecutor()
        self.nodes: list[Node] = []
        self.log = folder / 'log' / 'episodes.csv'
        self.reward = self.add(FakeRewardNode())
        self.client: Any = None
        self.node: Any = None

    def add(self, node: Any) -> Any:
        self.executor.add_node(node)
        self.nodes.append(node)
        return node

    def start(self, activate: bool = True, **values: Any) -> EpisodeResetNode:
        values = {
            'settle_time': 0.0,
            'log_file': str(self.log),
            'diagnostics_period': 0.1,
            **values,
        }
        overrides = [Parameter(name, value=value) for name, value in values.items()]
        self.node = self.add(EpisodeResetNode(parameter_overrides=overrides))
        self.client = self.reward.create_client(Trigger, 'episode_reset/reset')
        assert self.change('CONFIGURE')
        if activate:
            assert self.change('ACTIVATE')
            self.until(lambda: self.reward.episode == 1)
        return self.node

    def change(self, transition: str) -> bool:
        number = getattr(Transition, f'TRANSITION_{transition}')
        task = self.executor.create_task(self.node.change_state, number)
        self.until(task.done)
        return bool(task.result())

    def call(self) -> Trigger.Response:
        self.until(self.client.service_is_ready)
        answer = self.client.call_async(Trigger.Request())
        self.until(answer.done)
        return answer.result()

    def until(self, condition: Callable[[], Any], seconds: float = 15.0) -> None:
        end = time.monotonic() + seconds
        while not condition():
            self.executor.spin_once(timeout_sec=0.05)
            assert time.monotonic() < end, f'waited {seconds} s in vain; {self.rows()}'

    def spin(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.executor.spin_once(timeout_sec=0.02)

    def succeed_until(self, condition: Callable[[], Any]) -> None:
        """Tell of a success, again while the two sides still find each other."""
        episode, told = self.reward.episode, 0.0

        def done() -> Any:
            nonlocal told
            if time.monotonic() - told > 0.5:
                told = time.monotonic()
                self.reward.succeed(episode)
            return condition()

        self.until(done)

    def rows(self) -> list[dict[str, str]]:
        if not self.log.exists():
            return []
        with self.log.open(encoding='utf-8', newline='') as stream:
            return list(csv.DictReader(stream))

    def close(self) -> None:
        for node in self.nodes:
            if isinstance(node, EpisodeResetNode):
                node.close()
            node.destroy_node()
        self.executor.shutdown()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    stage.close()


# Episodes


def test_success_resets_and_starts_the_next_episode(stage: Stage) -> None:
    scene = stage.add(FakeScene())
    stage.start()
    stage.reward.tell(0.97)
    stage.succeed_until(lambda: stage.reward.episode == 2)
    assert scene.resets == 1
    (row,) = stage.rows()
    assert row['outcome'] == 'success' and row['reset'] == 'done' and row['number'] == '1'
    assert 0 < float(row['seconds']) < 15


def test_a_success_that_comes_late_does_not_end_the_next_episode(stage: Stage) -> None:
    scene = stage.add(FakeScene())
    stage.start()
    stage.succeed_until(lambda: stage.reward.episode == 2)
    for _ in range(5):
        stage.reward.succeed(episode=1)
        stage.spin(0.1)
    assert scene.resets == 1 and stage.reward.episode == 2
    stage.succeed_until(lambda: stage.reward.episode == 3)


def test_time_is_up(stage: Stage) -> None:
    stage.add(FakeScene())
    stage.start(episode_time=0.6)
    stage.until(lambda: stage.reward.episode == 3)
    assert [row['outcome'] for row in stage.rows()] == ['time is up'] * 2
    assert all(0.6 <= float(row['seconds']) < 1.5 for row in stage.rows())


def test_progress_that_stands_still(stage: Stage) -> None:
    stage.add(FakeScene())
    stage.start(stall_time=1.0, stall_change=0.05)
    for k in range(20):  # two seconds in which it moves
        stage.reward.tell(0.06 * (k % 8))
        stage.spin(0.1)
    assert stage.reward.episode == 1
    for _ in range(40):
        stage.reward.tell(0.4)
        stage.spin(0.1)
        if stage.reward.episode == 2:
            break
    (row,) = stage.rows()
    assert row['outcome'] == 'stalled' and row['progress'] == '0.400'


def test_a_reset_that_is_asked_for(stage: Stage) -> None:
    scene = stage.add(FakeScene())
    stage.start(activate=False)
    answer = stage.call()
    assert not answer.success and 'not active' in answer.message and scene.resets == 0
    assert stage.change('ACTIVATE')
    stage.until(lambda: stage.reward.episode == 1)
    stage.spin(0.2)
    answer = stage.call()
    assert answer.success, answer.message
    stage.until(lambda: stage.reward.episode == 2)
    assert [row['outcome'] for row in stage.rows()] == ['asked for']


def test_tasks_come_in_order_and_again(stage: Stage) -> None:
    stage.add(FakeScene())
    stage.start(episode_time=0.3, tasks=['Open it.', 'Close it.'])
    stage.until(lambda: len(stage.rows()) == 3)
    assert stage.reward.tasks[:3] == ['Open it.', 'Close it.', 'Open it.']
    assert [row['task'] for row in stage.rows()][:3] == stage.reward.tasks[:3]


def test_reward_node_that_starts_nothing_at_first(stage: Stage) -> None:
    stage.add(FakeScene())
    stage.reward.answers_start = False
    stage.start(activate=False)
    assert stage.change('ACTIVATE')
    stage.spin(1.5)
    assert stage.reward.episode == 0
    stage.reward.answers_start = True
    stage.until(lambda: stage.reward.episode == 1)


# Resets by a service


@pytest.mark.parametrize(
    ('answer', 'reason'), [(False, 'the lid is stuck'), (None, 'gave no answer in 0.5 s')]
)
def test_a_scene_that_does_not_reset(stage: Stage, answer: bool | None, reason: str) -> None:
    scene = stage.add(FakeScene(answer))
    stage.start(reset_time_limit=0.5)
    stage.succeed_until(stage.rows)
    (row,) = stage.rows()
    assert row['outcome'] == 'success' and reason in row['reset']
    stage.spin(1.0)
    assert stage.reward.episode == 1, 'an episode began on a scene that was not reset'
    scene.answer = True
    assert stage.call().success
    stage.until(lambda: stage.reward.episode == 2)


def test_no_scene_at_all(stage: Stage) -> None:
    stage.start()
    answer = stage.call()
    assert not answer.success and 'nobody offers the service /reset_scene' in answer.message


# Home motions


@pytest.mark.parametrize('manner', ['follows', 'lags'])
def test_an_arm_that_gets_there(stage: Stage, manner: str) -> None:
    arm = stage.add(FakeArm(manner))
    stage.start(**MOTION)
    assert arm.commands == []
    stage.spin(0.3)
    stage.succeed_until(lambda: stage.reward.episode == 2)
    assert arm.positions == pytest.approx(HOME, abs=0.05)
    assert len(arm.commands) == 1
    (point,) = arm.commands[0].points
    assert list(point.positions) == pytest.approx(HOME) and list(point.velocities) == [0.0, 0.0]
    assert [row['reset'] for row in stage.rows()] == ['done']


@pytest.mark.parametrize(
    ('manner', 'reason', 'commands'),
    [
        ('stops short', 'did not come to', 2),
        ('stands', 'did not come to', 2),
        ('goes silent', 'no joint states on /joint_states for', 1),
        ('is silent', 'no joint states on /joint_states; start the driver', 0),
        ('is another', 'no position of shoulder, elbow', 0),
    ],
)
def test_an_arm_that_does_not(stage: Stage, manner: str, reason: str, commands: int) -> None:
    arm = stage.add(FakeArm(manner))
    stage.start(**MOTION)
    stage.spin(0.3)
    answer = stage.call()
    assert not answer.success and reason in answer.message
    stage.spin(0.3)
    assert stage.reward.episode == 1
    # One to go there, and one to come to rest where that is known.
    assert len(arm.commands) == commands
    assert reason in stage.rows()[0]['reset']


def test_no_controller(stage: Stage) -> None:
    stage.add(FakeArm())
    stage.start(**{**MOTION, 'trajectory_topic': 'nobody'})
    stage.spin(0.3)
    answer = stage.call()
    assert not answer.success and 'no controller listens to /nobody' in answer.message


def test_nothing_moves_unless_active_and_deactivation_stops(stage: Stage) -> None:
    arm = stage.add(FakeArm())
    stage.start(activate=False, **{**MOTION, 'speed': 0.2})
    stage.reward.succeed()
    assert not stage.call().success
    stage.spin(0.3)
    assert arm.commands == [] and arm.positions == [0.8, -0.6]
    assert stage.change('ACTIVATE')
    stage.until(lambda: stage.reward.episode == 1)
    stage.spin(0.3)
    stage.succeed_until(lambda: arm.commands)
    stage.spin(0.5)
    where = list(arm.positions)
    assert where != pytest.approx([0.8, -0.6], abs=0.02), 'it does not move'
    assert stage.change('DEACTIVATE')
    stage.spin(1.0)
    assert len(arm.commands) == 2
    assert arm.positions == pytest.approx(where, abs=0.1)
    assert arm.positions != pytest.approx(HOME, abs=0.2)
    assert [row['reset'] for row in stage.rows()] == ['cut off']


def test_a_home_out_of_limits_is_refused(stage: Stage) -> None:
    with pytest.raises(ValueError, match=r'home of elbow is 2.0; expected within its limits'):
        stage.start(**{**MOTION, 'home': [0.0, 2.0]})


# The log


def test_the_log_goes_on_after_a_restart(stage: Stage) -> None:
    stage.add(FakeScene())
    stage.start()
    stage.succeed_until(lambda: stage.reward.episode == 2)
    stage.spin(0.3)
    assert stage.change('DEACTIVATE') and stage.change('CLEANUP')
    assert [row['outcome'] for row in stage.rows()] == ['success', 'cut off']
    with stage.log.open('a', encoding='utf-8') as stream:
        stream.write('3,2026-11-')  # the power went out
    assert stage.change('CONFIGURE') and stage.change('ACTIVATE')
    stage.until(lambda: stage.reward.episode == 3)
    stage.succeed_until(lambda: stage.reward.episode == 4)
    assert [row['number'] for row in stage.rows()] == ['1', '2', '3']
    assert [row['outcome'] for row in stage.rows()] == ['success', 'cut off', 'success']


def test_a_file_that_is_no_log_is_left_alone(stage: Stage, tmp_path: Path) -> None:
    file = tmp_path / 'thesis.csv'
    file.write_text('a,b\n1,2\n')
    with pytest.raises(AssertionError):
        stage.start(log_file=str(file))
    assert stage.node.state == 'unconfigured'
    assert file.read_text() == 'a,b\n1,2\n'
