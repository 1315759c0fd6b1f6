# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The episode reset node against a fake arm, a fake scene and a fake reward node, over DDS."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from rclpy.parameter import Parameter
from rclpy.time import Time
from rosgraph_msgs.msg import Clock
from std_msgs.msg import Bool

from topreward_ros.nodes.common.qos import QOS_TASK
from topreward_ros.nodes.reset import episode_loop
from topreward_ros.nodes.reset.episode_log import EpisodeLog, EpisodeRecord
from topreward_ros.nodes.reset.task_list import TaskList

from .fakes import NAMESPACE, FakeArm, FakeScene
from .stage import HOME, MOTION, Stage


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    stage.close()


# Episodes


def test_success_resets_and_starts_the_next_episode(stage: Stage) -> None:
    scene = stage.add(FakeScene())
    stage.start()
    stage.reward.publish_progress(0.97)
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
        stage.reward.finish(episode=1)
        stage.spin(0.1)
    assert scene.resets == 1 and stage.reward.episode == 2
    stage.succeed_until(lambda: stage.reward.episode == 3)


def test_time_is_up(stage: Stage) -> None:
    stage.add(FakeScene())
    stage.start(episode_time=0.6)
    stage.until(lambda: stage.reward.episode == 3)
    assert [row['outcome'] for row in stage.rows()] == ['time is up'] * 2
    assert all(0.6 <= float(row['seconds']) < 5 for row in stage.rows())


def test_progress_that_stands_still(stage: Stage) -> None:
    stage.add(FakeScene())
    stage.start(stall_time=1.0, stall_change=0.05)
    for k in range(20):  # two seconds in which it moves
        stage.reward.publish_progress(0.06 * (k % 8))
        stage.spin(0.1)
    assert stage.reward.episode == 1
    for _ in range(40):
        stage.reward.publish_progress(0.4)
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


def test_it_says_when_an_episode_runs(stage: Stage) -> None:
    running: list[bool] = []
    stage.reward.create_subscription(
        Bool, 'episode_reset/running', lambda m: running.append(m.data), QOS_TASK
    )
    scene = stage.add(FakeScene(None))
    stage.start()
    stage.until(lambda: running and running[-1])
    stage.succeed_until(lambda: scene.resets)
    stage.until(lambda: not running[-1])
    assert stage.change('DEACTIVATE')
    assert not running[-1]


def test_a_reset_while_an_episode_is_being_started(stage: Stage) -> None:
    """The pending response does not start an episode after the reset."""
    stage.add(FakeScene())
    stage.reward.delay = 1.0
    stage.start(activate=False)
    assert stage.change('ACTIVATE')
    stage.until(lambda: stage.reward.calls == 1)
    assert stage.call().success
    stage.until(lambda: stage.reward.calls == 2)
    assert stage.rows() == [], 'no episode had begun'


def test_a_reward_node_that_counts_anew(stage: Stage) -> None:
    """It counts from its activation, and may be restarted: it is then asked for an episode."""
    stage.add(FakeScene())
    stage.start()
    stage.succeed_until(lambda: stage.reward.episode == 2)
    stage.reward.episode = 1
    stage.until(lambda: [stage.reward.finish(1), stage.spin(0.3), stage.reward.episode == 2][2])
    assert [row['outcome'] for row in stage.rows()] == ['success'], 'one not asked for has ended it'
    stage.succeed_until(lambda: stage.reward.episode == 3)
    assert [row['outcome'] for row in stage.rows()] == ['success'] * 2


def test_messages_of_another_task_and_without_a_number(stage: Stage) -> None:
    scene = stage.add(FakeScene())
    stage.start(tasks=['Open it.'], stall_time=0.5)
    stage.until(lambda: stage.reward.task == 'Open it.')
    stage.reward.tasks.append('Close it.')
    for _ in range(10):
        stage.reward.finish()
        stage.reward.publish_progress(0.5)
        stage.spin(0.1)
    stage.reward.tasks.append('Open it.')
    for _ in range(10):
        stage.reward.publish_progress(float('nan'))
        stage.spin(0.1)
    assert scene.resets == 0


# Resets by a service


@pytest.mark.parametrize(
    ('answer', 'reason'), [(False, 'the lid is stuck'), (None, 'did not respond within 0.5 s')]
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
    assert not answer.success and 'service /stage/reset_scene is not available' in answer.message


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
        ('goes silent', 'no joint states on /stage/joint_states for', 1),
        ('is silent', 'no joint states on /stage/joint_states; start the driver', 0),
        ('is another', 'no position of shoulder, elbow', 0),
        ('publishes degrees', 'shoulder is reported at 45.8366, outside its limits', 0),
        ('passes by', 'no joint states on /stage/joint_states for', 1),
    ],
)
def test_an_arm_that_does_not(stage: Stage, manner: str, reason: str, commands: int) -> None:
    arm = stage.add(FakeArm(manner))
    patience = 0.4 if manner == 'goes silent' else 1.5
    stage.start(**{**MOTION, 'joint_state_timeout': patience})
    stage.spin(0.3)
    answer = stage.call()
    assert not answer.success and reason in answer.message
    stage.spin(0.3)
    assert stage.reward.episode == 1
    # One to move home, and one to stop if the positions are known
    assert len(arm.commands) == commands
    assert reason in stage.rows()[0]['reset']


def test_no_controller(stage: Stage) -> None:
    stage.add(FakeArm())
    stage.start(**{**MOTION, 'trajectory_topic': 'unused'})
    stage.spin(0.3)
    answer = stage.call()
    assert not answer.success and 'no controller subscribes to /stage/unused' in answer.message


def test_nothing_moves_unless_active_and_deactivation_stops(stage: Stage) -> None:
    arm = stage.add(FakeArm())
    stage.start(activate=False, **{**MOTION, 'speed': 0.2})
    stage.reward.finish()
    assert not stage.call().success
    stage.spin(0.3)
    assert arm.commands == [] and arm.positions == [0.8, -0.6]
    assert stage.change('ACTIVATE')
    stage.until(lambda: stage.reward.episode == 1)
    stage.spin(0.3)
    stage.succeed_until(lambda: arm.commands)
    stage.spin(0.5)
    positions = list(arm.positions)
    assert positions != pytest.approx([0.8, -0.6], abs=0.02), 'it does not move'
    assert stage.change('DEACTIVATE')
    stage.spin(1.0)
    assert len(arm.commands) == 2
    assert arm.positions == pytest.approx(positions, abs=0.1)
    assert arm.positions != pytest.approx(HOME, abs=0.2)
    assert [row['reset'] for row in stage.rows()] == ['cut off']


def test_a_home_out_of_limits_is_refused(stage: Stage) -> None:
    with pytest.raises(ValueError, match=r'home of elbow is 2.0; expected within its limits'):
        stage.start(**{**MOTION, 'home': [0.0, 2.0]})


def test_a_stop_stays_near_whatever_the_driver_says(stage: Stage) -> None:
    arm = stage.add(FakeArm('publishes nonsense'))
    stage.start(**{**MOTION, 'speed': 0.2})
    stage.spin(0.3)
    stage.succeed_until(lambda: arm.commands)
    stage.spin(0.3)
    positions = list(arm.positions)
    assert stage.change('DEACTIVATE')
    stage.until(lambda: len(arm.commands) == 2)
    goal = list(arm.commands[1].points[0].positions)
    assert goal == pytest.approx(positions, abs=0.4)


def test_an_interrupt_stops_the_arm(stage: Stage) -> None:
    arm = stage.add(FakeArm())
    settings = {**MOTION, 'speed': 0.1, 'autostart': True, 'log_file': str(stage.log)}
    command = [sys.executable, '-m', 'topreward_ros.nodes.reset.node', '--ros-args']
    command += ['-r', f'__ns:={NAMESPACE}']
    for name, value in settings.items():
        command += ['-p', f'{name}:={json.dumps(value)}']
    process = subprocess.Popen(command)
    try:
        stage.until(lambda: stage.reward.episode == 1, seconds=30)
        stage.spin(0.5)
        stage.succeed_until(lambda: arm.commands)
        stage.spin(0.5)
        process.send_signal(signal.SIGINT)
        stage.until(lambda: len(arm.commands) == 2)
        assert process.wait(timeout=20) == 0
    finally:
        process.kill()
        process.wait()
    stage.spin(0.6)
    positions = list(arm.positions)
    stage.spin(0.5)
    assert arm.positions == positions and positions != pytest.approx(HOME, abs=0.3)
    assert [row['reset'] for row in stage.rows()] == ['cut off']


def test_names_that_are_none(stage: Stage) -> None:
    for wrong in ({'trigger_service': 'my scene'}, {'reward_node': 'my robot'}):
        with pytest.raises(AssertionError):
            stage.start(**wrong)
        assert stage.node.state == 'unconfigured'
        stage.node.close()


def test_the_arm_is_let_go_of_before_it_moves(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    running: list[bool] = []
    stage.reward.create_subscription(
        Bool, 'episode_reset/running', lambda m: running.append(m.data), QOS_TASK
    )
    arm = stage.add(FakeArm())
    node = stage.start(**MOTION, handover_time=1.0)
    stage.until(lambda: running and running[-1])
    passed = [0.0]  # since the end of the episode [s]
    monkeypatch.setattr(node._loop, '_steady_seconds', lambda: passed[-1])
    stage.succeed_until(lambda: not running[-1])
    answer = stage.call()
    assert not answer.success and 'already in progress' in answer.message
    for seconds in (0.0, 0.99):
        passed.append(seconds)
        stage.spin(0.3)
        assert not arm.commands
    passed.append(1.0)
    stage.until(lambda: arm.commands)
    monkeypatch.undo()
    stage.until(lambda: stage.reward.episode == 2)


# Simulated time


class SimulatedTime:
    """Publishes /clock, which advances by `speed` seconds per second."""

    def __init__(self, stage: Stage, seconds: float, speed: float) -> None:
        self.seconds = seconds
        self.speed = speed
        self._publisher = stage.reward.create_publisher(Clock, '/clock', 10)
        stage.reward.create_timer(0.02, self._publish)

    def _publish(self) -> None:
        self.seconds += 0.02 * self.speed
        nanoseconds = round(self.seconds * 1e9)
        self._publisher.publish(Clock(clock=Time(nanoseconds=nanoseconds).to_msg()))


def test_simulated_time_that_begins_late(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(episode_loop, 'WARNING_DELAY', 0.5)
    scene = stage.add(FakeScene())
    node = stage.start(use_sim_time=True, episode_time=5.0)
    health: list[str] = []
    stage.until(
        lambda: [health.append(node._loop.health()[1]), 'has not advanced' in health[-1]][1]
    )
    assert '/clock' in health[-1] and 'use_sim_time' in health[-1]
    simulated = SimulatedTime(stage, 1000.0, 0.1)
    stage.until(lambda: 'has not advanced' not in node._loop.health()[1])
    stage.spin(0.5)
    assert scene.resets == 0, 'an episode of 5 s ended where time began at 1000 s'
    simulated.speed = 10.0
    stage.until(stage.rows)
    (row,) = stage.rows()
    assert row['outcome'] == 'time is up' and 5 <= float(row['seconds']) < 8


def test_nothing_moves_while_time_stands_still(stage: Stage) -> None:
    arm = stage.add(FakeArm())
    stage.start(**{**MOTION, 'use_sim_time': True})
    stage.spin(2.0)
    answer = stage.call()
    assert not answer.success and '/clock has not advanced' in answer.message
    assert arm.commands == []


def test_a_motion_in_a_slow_simulator(stage: Stage) -> None:
    stage.add(FakeArm(parameter_overrides=[Parameter('use_sim_time', value=True)]))
    SimulatedTime(stage, 1000.0, 0.2)
    stage.start(**{**MOTION, 'reset_time_limit': 0.5, 'use_sim_time': True})
    stage.spin(1.0)
    begun = time.monotonic()
    answer = stage.call()
    assert answer.success, answer.message
    assert time.monotonic() - begun > 2, (
        'half a second of simulated time, and the time to come to rest'
    )


# The log


def test_the_log_goes_on_after_a_restart(stage: Stage) -> None:
    stage.add(FakeScene())
    stage.start()
    stage.succeed_until(lambda: stage.reward.episode == 2)
    stage.spin(0.3)
    assert stage.change('DEACTIVATE') and stage.change('CLEANUP')
    assert [row['outcome'] for row in stage.rows()] == ['success', 'cut off']
    with stage.log.open('a', encoding='utf-8') as stream:
        stream.write('3,2026-11-')  # interrupted by a power failure
    assert stage.change('CONFIGURE') and stage.change('ACTIVATE')
    stage.until(lambda: stage.reward.episode == 3)
    stage.succeed_until(lambda: stage.reward.episode == 4)
    assert [row['number'] for row in stage.rows()] == ['1', '2', '3']
    assert [row['outcome'] for row in stage.rows()] == ['success', 'cut off', 'success']


@pytest.mark.parametrize('text', ['a,b\n1,2\n', 'a,b', 'number,b\n1,2'])
def test_a_file_that_is_no_log_is_left_alone(stage: Stage, tmp_path: Path, text: str) -> None:
    file = tmp_path / 'thesis.csv'
    file.write_text(text)
    with pytest.raises(ValueError, match=r'is not a log of episodes; expected columns number,'):
        EpisodeLog(file)
    with pytest.raises(AssertionError):
        stage.start(log_file=str(file))
    assert stage.node.state == 'unconfigured'
    assert file.read_text() == text


def test_a_row_that_cannot_be_written_leaves_no_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = EpisodeLog(tmp_path / 'log.csv')
    record = EpisodeRecord('now', 'Open\nit, "please".', 'success', 1.0, 0.97, 'done', 2.0)
    log.write(record)
    before = (tmp_path / 'log.csv').read_text()
    assert len(before.splitlines()) == 2

    def fails(_: int) -> None:
        raise OSError('no space left')

    with monkeypatch.context() as context, pytest.raises(OSError, match='no space'):
        context.setattr('os.fsync', fails)
        log.write(record)
    assert (tmp_path / 'log.csv').read_text() == before and log.count == 1
    log.write(record)
    log.close()
    assert EpisodeLog(tmp_path / 'log.csv').successes == 2


RECORD = EpisodeRecord('now', 'Open it.', 'success', 1.0, 0.97, 'done', 2.0)


@pytest.mark.parametrize('emptied', [True, False])
def test_a_log_that_is_moved_away_or_emptied_begins_anew(tmp_path: Path, emptied: bool) -> None:
    file = tmp_path / 'log.csv'
    log = EpisodeLog(file)
    log.write(RECORD)
    log.write(RECORD)
    if emptied:
        file.write_text('')
    else:
        file.rename(tmp_path / 'monday.csv')
        assert len((tmp_path / 'monday.csv').read_text().splitlines()) == 3
    log.write(RECORD)
    assert (log.count, log.successes) == (1, 1)
    with file.open(newline='') as stream:
        assert [row['number'] for row in csv.DictReader(stream)] == ['1']
    log.close()


def test_a_log_has_one_writer(tmp_path: Path) -> None:
    log = EpisodeLog(tmp_path / 'log.csv')
    with pytest.raises(ValueError, match='written by another node; name another file'):
        EpisodeLog(tmp_path / 'log.csv')
    log.close()
    EpisodeLog(tmp_path / 'log.csv').close()


def test_a_log_that_a_spreadsheet_has_saved(tmp_path: Path) -> None:
    file = tmp_path / 'log.csv'
    log = EpisodeLog(file)
    log.write(RECORD)
    log.close()
    file.write_bytes(b'\xef\xbb\xbf' + file.read_bytes().replace(b'\n', b'\r\n'))
    log = EpisodeLog(file)
    assert (log.count, log.successes) == (1, 1)
    log.write(RECORD)
    log.close()
    with file.open(encoding='utf-8-sig', newline='') as stream:
        assert [row['number'] for row in csv.DictReader(stream)] == ['1', '2']


def test_another_log_while_inactive(stage: Stage, tmp_path: Path) -> None:
    stage.add(FakeScene())
    stage.start(activate=False)
    other = tmp_path / 'other.csv'
    (change,) = stage.node.set_parameters([Parameter('log_file', value=str(other))])
    assert change.successful
    assert stage.change('ACTIVATE')
    stage.until(lambda: stage.reward.episode == 1)
    stage.succeed_until(lambda: stage.reward.episode == 2)
    assert not stage.rows()
    assert len(other.read_text().splitlines()) == 2


# Tasks


def test_shuffled_tasks_come_once_a_round() -> None:
    names = [str(k) for k in range(6)]
    tasks, same = (TaskList(names, 'shuffled', seed=1) for _ in range(2))
    rounds = [[tasks.next() for _ in names] for _ in range(3)]
    assert all(sorted(one) == names for one in rounds)
    assert rounds[0] != names and rounds[0] != rounds[1]
    assert rounds[0] == [same.next() for _ in names]
