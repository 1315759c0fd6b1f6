# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Success and resets that can be left alone: stale scenes, foreign messages, stops, retries."""

from __future__ import annotations

import csv
import itertools
import json
import math
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from topreward_ros.demo import scene as demo_scene
from topreward_ros.demo.scene import SceneEpisode
from topreward_ros.results.score_table import Row, read_rows, write_rows
from topreward_ros.results.table_text import from_cell, to_cell
from topreward_ros.reward.live import RewardOptions
from topreward_ros.reward.success import Scene, SuccessDetector
from topreward_ros.scoring.families import FAMILIES
from topreward_ros.scoring.score import Score

from ..toy_scorer import ToyScorer

rclpy = pytest.importorskip('rclpy', reason='ROS 2 is not available: pip install .[kilted,test]')

from action_msgs.msg import GoalStatus
from rclpy.action import ActionClient, ActionServer, CancelResponse
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, QoSReliabilityPolicy
from sensor_msgs.msg import Image
from std_msgs.msg import Bool
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from topreward_ros.action import Reset
from topreward_ros.msg import Progress, SuccessDetected
from topreward_ros.nodes.cameras.scene_camera import SceneCamera
from topreward_ros.nodes.common.diagnostics import LEVEL_ERROR, LEVEL_OK, LEVEL_WARN
from topreward_ros.nodes.common.qos import QOS_RESULT
from topreward_ros.nodes.common.rclpy_versions import is_from_node, with_message_info
from topreward_ros.nodes.reset import controller
from topreward_ros.nodes.reset.episode_log import EpisodeLog, EpisodeRecord, read_log
from topreward_ros.nodes.reset.reset import ResetError
from topreward_ros.nodes.reset.settings import ResetSettings
from topreward_ros.nodes.reward.node import RewardNode
from topreward_ros.nodes.sessions.session import Session

from ..nodes import conftest as domain  # which it sets  # noqa: F401
from ..nodes.fakes import JOINTS, NAMESPACE, FakeArm, FakeScene
from ..nodes.stage import HOME, MOTION, Stage

CONFIG = Path(__file__).parents[2] / 'config'
AT_START, UNFINISHED = Progress.SCENE_FINISHED_AT_START, Progress.SCENE_UNFINISHED
SLOW = {**MOTION, 'speed': 0.2}  # 4 s home


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    stage.close()


# A success that nobody has achieved: the scene was finished before the episode began


@pytest.mark.parametrize(
    ('scores', 'found', 'scene'),
    [
        ([-1.0] * 9, None, Scene.FINISHED_AT_START),  # never unfinished
        ([-9.0] * 3 + [-1.0] * 4, 5, Scene.FINISHED),  # means of -9, -6.3, -3.7, -1, -1
        ([-1.0] * 4 + [-20.0] + [-1.0] * 5, 8, Scene.FINISHED),  # unfinished on the way
        ([-1.0, -1.0, -20.0, -1.0, -1.0, -1.0, -1.0], 6, Scene.FINISHED),
        ([-9.0], None, Scene.UNKNOWN),  # fewer than are judged
        ([-1.0, -1.0, -1.0], None, Scene.FINISHED),  # not held yet
        ([-1.0, -1.0, math.nan], None, Scene.UNKNOWN),
        ([math.nan] * 3 + [-1.0] * 5, None, Scene.FINISHED_AT_START),  # NaN is not unfinished
        ([-9.0] * 5, None, Scene.UNFINISHED),
        ([-5.0] * 6, None, Scene.FINISHED_AT_START),  # the threshold itself
    ],
)
def test_success_counts_after_unfinished(
    scores: list[float], found: int | None, scene: Scene
) -> None:
    detector = SuccessDetector(-5.0, window=3, hold=2, from_unfinished=True)
    hits = [k for k, score in enumerate(scores) if detector.update(score)]
    assert (hits, detector.scene) == ([] if found is None else [found], scene)
    detector.start()
    assert detector.scene is Scene.UNKNOWN
    assert [k for k, score in enumerate(scores) if detector.update(score)] == hits


def test_a_recording_may_begin_anywhere() -> None:
    """Files, and calibrations of them, are judged as before: only live episodes follow a reset."""
    scores = [Score(k + 1, log_prob=-1.0) for k in range(4)]
    offline, live = RewardOptions().start(), RewardOptions().start(from_unfinished=True)
    assert [offline.update(score).success is not None for score in scores] == [False] * 3 + [True]
    assert [live.update(score).scene for score in scores] == [0, 0, 2, 3]


class Camera(Node):
    """Shows the toy scorer a scene: bright is finished, dark is not."""

    def __init__(self) -> None:
        super().__init__('camera', namespace=NAMESPACE)
        self.level = 255
        self.images = self.create_publisher(Image, 'image', 10)
        self.create_timer(0.05, self._show)

    def _show(self) -> None:
        message = Image(height=32, width=32, encoding='rgb8', step=96)
        message.header.stamp = self.get_clock().now().to_msg()
        message.data = bytes([self.level]) * (32 * 96)
        self.images.publish(message)


class RealStage(Stage):
    """The real reward node with the toy scorer, in place of the fake one."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.nodes.remove(self.reward)
        self.reward.destroy_node()
        settings = {'model': 'toy', 'task': 'Make it bright.', 'fps': 10.0}
        settings |= {'success_threshold': -1.0, 'autostart': True, 'diagnostics_period': 0.1}
        parameters = [Parameter(name, value=value) for name, value in settings.items()]
        self.real = self.add(RewardNode(namespace=NAMESPACE, parameter_overrides=parameters))
        self.camera = self.reward = self.add(Camera())
        self.camera.episode = 1  # that Stage.start waits for
        self.executor.create_task(self.real.start_automatically)


@pytest.fixture
def real_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RealStage]:
    monkeypatch.setitem(FAMILIES, 'toy', ToyScorer)
    stage = RealStage(tmp_path)
    stage.until(lambda: stage.real.state == 'active')
    yield stage
    stage.real.close()
    stage.close()


def test_a_scene_that_nobody_resets(real_stage: RealStage) -> None:
    """Was: 46 of 46 episodes with home_motion alone were a success after 2 s."""
    stage, arm = real_stage, real_stage.add(FakeArm())
    health: list[tuple[bytes, str]] = []
    stage.start(**MOTION, suspicious_resets=2, handover_time=0.0)
    stage.until(lambda: [health.append(stage.real._live.health()), len(stage.rows()) == 2][1])
    assert (LEVEL_WARN, 'scene looks finished: was it reset?') in health
    assert [(row['outcome'], row['reset']) for row in stage.rows()] == [
        ('looked finished', 'done'),
        ('looked finished', 'not done'),
    ]
    level, message = stage.node._loop.health()
    assert level == LEVEL_ERROR
    assert message.startswith('2 episodes in a row looked finished from their start: is the scene')
    assert len(arm.commands) == 1
    # Seen unfinished first, the same picture is a success.
    stage.camera.level = 20
    assert stage.call().success
    stage.until(lambda: stage.node._loop._episode.was_unfinished)
    stage.camera.level = 255
    stage.until(lambda: len(stage.rows()) == 3)
    assert stage.rows()[2]['outcome'] == 'success'


def test_the_wait_for_a_scene_that_looks_unfinished(real_stage: RealStage) -> None:
    stage = real_stage
    stage.add(FakeScene())
    stage.start(reset='trigger, unfinished', handover_time=0.0, reset_time_limit=3.0)
    stage.until(lambda: stage.node._loop.phase == 'an episode is running')
    answer = stage.call()
    assert not answer.success
    assert answer.message == 'the scene still looks finished, 3.0 s after the reset'
    stage.camera.level = 20
    assert stage.call().success
    assert [row['reset'] for row in stage.rows()] == [answer.message]


def suspicious(stage: Stage, scene: int = AT_START) -> None:
    """Publish a judgement of the scene until the episode has ended for it."""
    number = len(stage.rows())

    def ended() -> bool:
        stage.reward.publish_progress(0.9, scene=scene)
        stage.spin(0.1)
        return len(stage.rows()) > number or stage.node._loop.health()[0] == LEVEL_ERROR

    stage.until(ended)


@pytest.mark.parametrize(('limit', 'count'), [(1, 1), (2, 2), (0, 4)])
def test_suspicious_resets(stage: Stage, limit: int, count: int) -> None:
    scene = stage.add(FakeScene())
    stage.start(suspicious_resets=limit, handover_time=0.0)
    for k in range(count):
        stage.until(lambda k=k: stage.reward.episode == k + 1)
        suspicious(stage)
    assert [row['outcome'] for row in stage.rows()] == ['looked finished'] * count
    assert scene.resets == (count - 1 if limit else count)
    stage.spin(0.5)
    assert (stage.node._loop.health()[0] == LEVEL_ERROR) == bool(limit)
    if limit:
        assert stage.call().success, 'a reset goes on'
        assert stage.node._loop.facts()['looked finished in a row'] == 0


def test_an_unfinished_scene_ends_the_row(stage: Stage) -> None:
    stage.add(FakeScene())
    stage.start(suspicious_resets=2, handover_time=0.0)
    suspicious(stage)
    stage.until(lambda: stage.reward.episode == 2)
    stage.until(lambda: [stage.reward.publish_progress(0.1, scene=UNFINISHED), stage.spin(0.1),
                         stage.node._loop._episode.was_unfinished][2])  # fmt: skip
    stage.reward.publish_progress(0.9, scene=AT_START)
    stage.succeed_until(lambda: stage.reward.episode == 3)
    suspicious(stage)
    stage.until(lambda: stage.reward.episode == 4)
    outcomes = [row['outcome'] for row in stage.rows()]
    assert outcomes == ['looked finished', 'success', 'looked finished']


# Messages that are not of this episode


class Stranger(Node):
    """Another publisher of the reward node's topics."""

    def __init__(self, name: str = 'stranger') -> None:
        super().__init__(name, namespace=NAMESPACE)
        self._progress = self.create_publisher(Progress, 'topreward/progress', QOS_RESULT)
        self._success = self.create_publisher(SuccessDetected, 'topreward/success_detected', 10)

    def finish(self, **fields: Any) -> None:
        self._progress.publish(Progress(**fields))
        self._success.publish(SuccessDetected(**fields))


@pytest.mark.parametrize(
    'fields',
    [
        {'episode': 3},
        {'episode': 1},
        {'episode': 0},
        {'frames': 3},  # of an earlier progress that was never received
        {'frames': 1000},
        {'task': 'Close it.'},
        {'header': 77},
    ],
    ids=str,
)
def test_a_success_that_is_not_of_this_episode(stage: Stage, fields: dict[str, Any]) -> None:
    scene = stage.add(FakeScene())
    stage.start(tasks=['Open it.', 'Open it.'], handover_time=0.0)
    stage.reward.frames = 10
    stage.succeed_until(lambda: stage.reward.episode == 2)
    stage.until(lambda: [stage.reward.publish_progress(0.5), stage.spin(0.1),
                         stage.node._loop._episode.progress == 0.5][2])  # fmt: skip
    wrong = SuccessDetected(episode=2, task='Open it.', frames=stage.reward.frames)
    for name, value in fields.items():
        if name == 'header':
            wrong.header.stamp.sec = value
        else:
            setattr(wrong, name, value)
    for _ in range(5):
        stage.reward._success.publish(wrong)
        stage.spin(0.1)
    assert (scene.resets, stage.reward.episode) == (1, 2)
    stage.succeed_until(lambda: stage.reward.episode == 3)


@pytest.mark.parametrize('name', ['stranger', 'a_recording_that_is_played'])
def test_another_publisher(stage: Stage, name: str) -> None:
    """It knows the episode, the task, and sends the progress as well."""
    scene, stranger = stage.add(FakeScene()), stage.add(Stranger(name))
    stage.start(handover_time=0.0)
    for k in range(8):
        stranger.finish(episode=1, frames=k, progress=1.0)
        stage.spin(0.1)
    assert scene.resets == 0 and math.isnan(stage.node._loop._episode.progress)
    stage.succeed_until(lambda: stage.reward.episode == 2)
    assert stage.rows()[0]['progress'] == '0.970'


REWARD, OTHER = b'r' * 16, b'o' * 16
PUBLISHERS = {REWARD: '/stage/topreward', OTHER: '/stage/stranger'}


@pytest.mark.parametrize(
    ('publishers', 'gid', 'is_from'),
    [
        ({REWARD: '/stage/topreward'}, REWARD, True),
        ({REWARD: '/a/relay'}, REWARD, True),  # the only one, by whatever name
        ({REWARD: '/stage/topreward'}, None, True),  # a version of rclpy that does not say
        ({REWARD: '/stage/topreward'}, OTHER, False),  # one that has gone
        ({}, REWARD, False),
        ({}, None, False),
        (PUBLISHERS, REWARD, True),
        (PUBLISHERS, OTHER, False),
        (PUBLISHERS, None, False),
        # One that has crashed is seen for a while beside the one that took its place
        ({REWARD: '/stage/topreward', OTHER: '/stage/topreward'}, REWARD, True),
        ({REWARD: '/stage/relay', OTHER: '/stage/stranger'}, REWARD, False),
        ({REWARD + b'\0' * 8: '/stage/topreward', OTHER: '/other'}, REWARD, True),  # Humble
    ],
)
def test_who_has_published(publishers: dict[bytes, str], gid: bytes | None, is_from: bool) -> None:
    graph = [
        SimpleNamespace(
            endpoint_gid=list(number),
            node_name=name.rpartition('/')[2],
            node_namespace=name.rpartition('/')[0],
        )
        for number, name in publishers.items()
    ]
    node = SimpleNamespace(get_publishers_info_by_topic=lambda _: graph)
    info = {'publisher_gid': {'data': gid}} if gid else {}
    assert is_from_node(node, '/stage/topreward', '/stage/topreward/progress', info) is is_from


def test_a_callback_with_information_on_the_message(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    with_message_info(lambda *arguments: calls.append(arguments))('message', {'publisher_gid': 1})
    monkeypatch.delattr('rclpy.subscription.Subscription.CallbackType')  # Humble has none
    with_message_info(lambda *arguments: calls.append(arguments))('message')
    assert calls == [('message', {'publisher_gid': 1}), ('message', {})]


def test_a_success_that_overtakes_its_progress(stage: Stage) -> None:
    stage.add(FakeScene())
    stage.start(handover_time=0.0)
    stage.until(lambda: [stage.reward.publish_progress(0.5), stage.spin(0.1),
                         stage.node._loop._episode.progress == 0.5][2])  # fmt: skip
    stage.reward.frames += 1
    stage.reward.succeed()
    stage.spin(0.3)
    assert stage.rows() == []
    stage.reward.frames -= 1
    stage.reward.publish_progress(0.75)
    stage.until(stage.rows)
    assert (stage.rows()[0]['outcome'], stage.rows()[0]['progress']) == ('success', '0.750')


def test_an_answer_without_an_episode_is_none(stage: Stage) -> None:
    stage.add(FakeScene())
    stage.reward.answer = 'welcome'
    stage.start(activate=False)
    assert stage.change('ACTIVATE')
    stage.until(lambda: stage.reward.calls == 2)
    assert stage.node._loop._start.problem == 'the reward node did not start an episode: welcome'
    stage.reward.answer = ''
    stage.until(lambda: stage.reward.calls == 3 and stage.node._loop.health() == (
        LEVEL_OK, 'an episode is running'))  # fmt: skip


# Steps in order


@pytest.mark.parametrize(
    ('text', 'steps'),
    [
        ('trigger', ('trigger',)),
        ('home_motion', ('home_motion',)),
        (' home_motion ,trigger,unfinished', ('home_motion', 'trigger', 'unfinished')),
        ('trigger,home_motion,trigger', ('trigger', 'home_motion', 'trigger')),
        ('', None),
        ('trigger,', None),
        ('home', None),
        ('trigger;home_motion', None),
    ],
)
def test_the_steps_of_a_reset(text: str, steps: tuple[str, ...] | None) -> None:
    values = {name: MOTION[name] for name in ('joints', 'home', 'lower_limits', 'upper_limits')}
    if steps is None:
        with pytest.raises(ValueError, match=r'expected steps among trigger, home_motion, unfini'):
            ResetSettings(reset=text, **values)
    else:
        assert ResetSettings(reset=text, **values).reset_steps == steps


def test_home_then_the_scene_then_a_look(stage: Stage) -> None:
    arm, scene = stage.add(FakeArm()), stage.add(FakeScene())
    at_reset: list[list[float]] = []
    scene.on_reset = lambda: at_reset.append(list(arm.positions))
    steps = {'reset': 'home_motion, trigger, unfinished', 'handover_time': 0.0}
    stage.start(**{**MOTION, **steps, 'reset_time_limit': 5.0}, tasks=['Open it.', 'Close it.'])
    stage.spin(0.3)
    stage.succeed_until(lambda: stage.reward.episode == 2)  # begun to look at the scene
    assert at_reset == [pytest.approx(HOME, abs=0.05)]
    assert stage.reward.task == 'Close it.', 'the next task is the one to look with'
    assert stage.node._loop.phase == 'waiting for a scene that looks unfinished'
    for scene_now in (Progress.SCENE_UNKNOWN, Progress.SCENE_FINISHED):
        stage.reward.publish_progress(0.9, scene=scene_now)
        stage.spin(0.2)
    assert stage.reward.episode == 2 and stage.rows() == []
    stage.reward.publish_progress(0.9, scene=AT_START)  # pictures from before: another look
    stage.until(lambda: stage.reward.episode == 3)
    stage.spin(0.2)
    stage.reward.publish_progress(0.1, scene=UNFINISHED)
    stage.until(lambda: stage.reward.episode == 4)
    assert [(row['task'], row['reset']) for row in stage.rows()] == [('Open it.', 'done')]


# Ways to halt a motion: the arm stands within a moment, and only a reset goes on


def by_topic(reliability: QoSReliabilityPolicy) -> Callable[[Stage], None]:
    def stop(stage: Stage) -> None:
        qos = QoSProfile(depth=1, reliability=reliability)
        publisher = stage.reward.create_publisher(Bool, 'episode_reset/stop', qos)
        stage.until(publisher.get_subscription_count)
        publisher.publish(Bool(data=False))
        stage.spin(0.2)
        assert stage.node._loop.health()[0] != LEVEL_ERROR, 'false stops nothing'
        stage.until(lambda: [publisher.publish(Bool(data=True)), stage.spin(0.05),
                             stage.node._loop.health()[0] == LEVEL_ERROR][2])  # fmt: skip

    return stop


def by_service(stage: Stage) -> None:
    client = stage.reward.create_client(Trigger, 'episode_reset/stop')
    stage.until(client.service_is_ready)
    answer = client.call_async(Trigger.Request())
    stage.until(answer.done)
    assert answer.result().success, answer.result().message


def by_deactivation(stage: Stage) -> None:
    assert stage.change('DEACTIVATE')


STOPS = {
    'reliable topic': (by_topic(QoSReliabilityPolicy.RELIABLE), 'stopped'),
    'best-effort topic': (by_topic(QoSReliabilityPolicy.BEST_EFFORT), 'stopped'),
    'service': (by_service, 'stopped'),
    'deactivation': (by_deactivation, 'cut off'),
}


def assert_stands(stage: Stage, arm: FakeArm) -> None:
    """The arm comes to rest in the time of a stop, away from home."""
    stage.until(lambda: len(arm.commands) == 2)
    began, seconds, _, _ = arm._motion
    assert seconds == pytest.approx(0.3)
    stage.until(lambda: arm._now() > began + seconds)
    stage.spin(0.1)
    positions = list(arm.positions)
    stage.spin(0.3)
    assert arm.positions == positions and positions != pytest.approx(HOME, abs=0.2)


@pytest.mark.parametrize('way', STOPS)
def test_a_motion_is_halted(stage: Stage, way: str) -> None:
    stop, outcome = STOPS[way]
    arm = stage.add(FakeArm())
    stage.start(**SLOW, handover_time=0.0)
    stage.spin(0.3)
    stage.succeed_until(lambda: arm.commands)
    stage.spin(0.2)
    stop(stage)
    assert_stands(stage, arm)
    assert [row['reset'] for row in stage.rows()] == [outcome]
    assert stage.reward.episode == 1
    if outcome == 'stopped':
        assert stage.node._loop.health() == (LEVEL_ERROR, 'stopped by ~/stop')


@contextmanager
def reset_process(stage: Stage, **settings: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Run the node in a process of its own, with a slow motion."""
    settings = {**SLOW, 'autostart': True, 'log_file': str(stage.log), **settings}
    command = [sys.executable, '-m', 'topreward_ros.nodes.reset.node', '--ros-args']
    command += ['-r', f'__ns:={NAMESPACE}']
    for name, value in settings.items():
        command += ['-p', f'{name}:={json.dumps(value)}']
    process = subprocess.Popen(command)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_a_signal_halts_a_motion(stage: Stage, number: int) -> None:
    arm = stage.add(FakeArm())
    with reset_process(stage, handover_time=0.0) as process:
        stage.until(lambda: stage.reward.episode == 1, seconds=30)
        stage.spin(0.5)
        stage.succeed_until(lambda: arm.commands)
        stage.spin(0.2)
        process.send_signal(number)
        assert_stands(stage, arm)
        assert process.wait(timeout=20) == 0
    assert [row['reset'] for row in stage.rows()] == ['cut off']


# Kind: a call that is not answered yet when the node ends
@pytest.mark.parametrize('way', ['service', 'action'])
def test_whoever_waits_for_a_reset_is_answered_when_the_node_ends(stage: Stage, way: str) -> None:
    arm = stage.add(FakeArm())
    with reset_process(stage, handover_time=0.0) as process:
        stage.until(lambda: stage.reward.episode == 1, seconds=30)
        stage.spin(0.5)
        if way == 'action':
            goal = Goal(stage)
        else:
            client = stage.reward.create_client(Trigger, 'episode_reset/reset')
            stage.until(client.service_is_ready)
            answer = client.call_async(Trigger.Request())
        stage.until(lambda: arm.commands)
        process.send_signal(signal.SIGINT)
        if way == 'action':
            assert goal.result() == (GoalStatus.STATUS_ABORTED, False, 'the node was deactivated')
        else:
            stage.until(answer.done)
            response = answer.result()
            assert (response.success, response.message) == (False, 'the node was deactivated')
        assert process.wait(timeout=20) == 0


def test_only_a_reset_goes_on_after_a_stop(stage: Stage) -> None:
    running: list[bool] = []
    stage.add(FakeScene())
    stage.reward.create_subscription(
        Bool, 'episode_reset/running', lambda m: running.append(m.data), QOS_RESULT
    )
    stage.start(activate=False)
    by_service(stage)  # holds, as nothing may begin by itself
    assert stage.change('ACTIVATE')
    stage.spin(0.5)
    assert stage.reward.calls == 0 and True not in running
    assert stage.call().success
    stage.until(lambda: running[-1])
    by_service(stage)
    stage.until(lambda: not running[-1])
    assert [(row['outcome'], row['reset']) for row in stage.rows()] == [('stopped', 'not done')]
    assert stage.change('DEACTIVATE') and stage.change('ACTIVATE')
    stage.spin(0.5)
    assert stage.reward.episode == 1
    assert stage.call().success
    stage.until(lambda: stage.reward.episode == 2)


def test_a_stop_without_joint_states_comes_when_they_return(stage: Stage) -> None:
    """Where to come to rest is not known before; see `HomeMotion.stop`."""
    arm = stage.add(FakeArm('goes silent'))
    stage.start(**{**SLOW, 'joint_state_timeout': 0.3}, handover_time=0.0)
    stage.spin(0.3)
    stage.succeed_until(lambda: arm.commands)
    stage.until(lambda: stage.node._loop.health()[0] == LEVEL_ERROR)
    assert len(arm.commands) == 1
    arm.manner = 'follows'
    assert_stands(stage, arm)


# Resets as an action


class Goal:
    """A goal of the action ~/reset, and what came of it."""

    def __init__(self, stage: Stage) -> None:
        self.feedback: list[Any] = []
        self._stage = stage
        self._client = ActionClient(stage.reward, Reset, 'episode_reset/reset')
        stage.until(self._client.server_is_ready)
        accepted = self._client.send_goal_async(
            Reset.Goal(), lambda message: self.feedback.append(message.feedback)
        )
        stage.until(accepted.done)
        self.handle = accepted.result()
        self._result = self.handle.get_result_async()

    def result(self) -> tuple[int, bool, str]:
        self._stage.until(self._result.done)
        answer = self._result.result()
        self._client.destroy()
        return answer.status, answer.result.success, answer.result.message


def test_a_reset_as_an_action(stage: Stage) -> None:
    stage.add(FakeArm())
    stage.start(**{**MOTION, 'speed': 0.4}, handover_time=0.5)
    stage.spin(0.3)
    goal = Goal(stage)
    second = Goal(stage)
    assert second.result() == (GoalStatus.STATUS_ABORTED, False, 'a reset is already in progress')
    assert goal.result() == (
        GoalStatus.STATUS_SUCCEEDED, True, 'the reset is complete; the next episode starts'
    )  # fmt: skip
    phases = list(dict.fromkeys(message.phase for message in goal.feedback))
    assert phases[:2] == ['the episode is over', 'moving home']
    distances = [m.distance for m in goal.feedback if m.phase == 'moving home']
    assert max(distances) > 0.5 and min(distances) < 0.1
    assert all(later <= earlier + 1e-6 for earlier, later in itertools.pairwise(distances))


def test_a_cancelled_action_halts_the_motion(stage: Stage) -> None:
    arm = stage.add(FakeArm())
    stage.start(**SLOW, handover_time=0.0)
    stage.spin(0.3)
    goal = Goal(stage)
    stage.until(lambda: arm.commands)
    stage.spin(0.2)
    goal.handle.cancel_goal_async()
    assert_stands(stage, arm)
    assert goal.result() == (GoalStatus.STATUS_CANCELED, False, 'the reset was cancelled')
    assert [(row['outcome'], row['reset']) for row in stage.rows()] == [('asked for', 'stopped')]
    assert stage.node._loop.health() == (LEVEL_ERROR, 'the reset was cancelled')


def test_an_action_that_cannot_be_done(stage: Stage) -> None:
    stage.start(activate=False)
    status = GoalStatus.STATUS_ABORTED
    assert Goal(stage).result() == (status, False, 'the node is inactive, not active')
    assert stage.change('ACTIVATE')
    goal = Goal(stage)
    assert stage.change('DEACTIVATE')
    assert goal.result() == (status, False, 'the node was deactivated')


# A controller that offers control_msgs' action (not among the wheels: a stand-in for its client)


class FakeActions:
    """In place of rclpy's ActionClient, and of the client of its cancel service."""

    def __init__(self, accepts: bool = True) -> None:
        self.accepts = accepts
        self.goals: list[Any] = []
        self.ids: list[bytes] = []
        self.cancelled: list[bytes] = []
        self.sent: list[Any] = []  # futures of the response to each goal
        self.results: list[Any] = []

    def client(self, *_: Any) -> Any:
        return SimpleNamespace(
            server_is_ready=lambda: True, send_goal_async=self.send, destroy=lambda: None
        )

    def send(self, goal: Any, goal_uuid: Any) -> Any:
        self.goals.append(goal.trajectory)
        self.ids.append(bytes(goal_uuid.uuid))
        self.sent.append(rclpy.task.Future())
        return self.sent[-1]

    def respond(self) -> None:
        self.results.append(rclpy.task.Future())
        self.sent[-1].set_result(
            SimpleNamespace(accepted=self.accepts, get_result_async=lambda: self.results[-1])
        )

    def end(self, code: int, text: str = '') -> None:
        result = SimpleNamespace(error_code=code, error_string=text)
        self.results[-1].set_result(SimpleNamespace(result=result))

    def cancel(self, request: Any) -> None:
        self.cancelled.append(bytes(request.goal_info.goal_id.uuid))


class FollowJointTrajectory:
    Goal = SimpleNamespace
    Result = SimpleNamespace(SUCCESSFUL=0)


@pytest.fixture
def actions(monkeypatch: pytest.MonkeyPatch) -> FakeActions:
    actions = FakeActions()
    monkeypatch.setattr(controller, 'FollowJointTrajectory', FollowJointTrajectory)
    monkeypatch.setattr(controller, 'ActionClient', actions.client)
    return actions


@pytest.fixture
def arm_controller(stage: Stage, actions: FakeActions) -> Iterator[controller.Controller]:
    made = controller.Controller(stage.reward, ResetSettings(trajectory_topic='arm/trajectory'))
    made._action._cancel.call_async = actions.cancel
    yield made
    made.close()


WAY = JointTrajectory(joint_names=list(JOINTS))


@pytest.mark.parametrize(
    ('accepts', 'code', 'problem'),
    [
        (True, 0, ''),
        (True, -4, 'joint_trajectory_controller/follow_joint_trajectory ended the motion with '
                   'error -4: stuck'),
        (False, 0, 'joint_trajectory_controller/follow_joint_trajectory does not accept the '
                   'motion'),
    ],
)  # fmt: skip
def test_a_controller_with_an_action(
    arm_controller: Any, actions: FakeActions, accepts: bool, code: int, problem: str
) -> None:
    actions.accepts = accepts
    arm_controller.check()
    arm_controller.send(WAY)
    assert actions.goals == [WAY] and arm_controller.problem() == ''
    actions.respond()
    if accepts:
        actions.end(code, 'stuck')
    assert arm_controller.problem() == (f'{NAMESPACE}/{problem}' if problem else '')
    assert arm_controller.stop(None) is False and actions.cancelled == [], 'nothing moves'


@pytest.mark.parametrize('known', [True, False], ids=['accepted', 'no response yet'])
@pytest.mark.parametrize('rest', [WAY, None], ids=['joints known', 'joints unknown'])
def test_a_stop_cancels_the_action(
    arm_controller: Any, actions: FakeActions, known: bool, rest: Any
) -> None:
    """Without joint states, too: a controller that is cancelled holds its position."""
    arm_controller.send(WAY)
    if known:
        actions.respond()
    assert arm_controller.stop(rest) is True and actions.cancelled == actions.ids
    if not known:  # the cancel may have come before the goal
        actions.respond()
        assert actions.cancelled == actions.ids * 2


class ActionArm(FakeArm):
    """An arm whose controller offers the action."""

    def __init__(self, code: int = 0) -> None:
        super().__init__()
        self.code = code
        self.cancels = 0
        self._server: Any = ActionServer(
            self,
            controller.FollowJointTrajectory,
            'arm/follow_joint_trajectory',
            self._follow,
            cancel_callback=self._on_cancel,
            callback_group=ReentrantCallbackGroup(),
        )

    def destroy_node(self) -> None:
        self._server.destroy()
        super().destroy_node()

    def _on_cancel(self, _goal: Any) -> CancelResponse:
        self.cancels += 1
        self._motion = None
        return CancelResponse.ACCEPT

    async def _follow(self, goal: Any) -> Any:
        self._on_command(goal.request.trajectory)
        self.commands.clear()  # of the topic
        result = controller.FollowJointTrajectory.Result(error_code=self.code, error_string='stuck')
        while self._motion and self._now() < self._motion[0] + self._motion[1] and not self.code:
            await self._tick()
        if goal.is_cancel_requested:
            goal.canceled()
        elif self.code:
            goal.abort()
        else:
            goal.succeed()
        return result

    async def _tick(self) -> None:
        over = rclpy.task.Future(executor=self.executor)
        timer = self.create_timer(0.02, lambda: over.set_result(None))
        await over
        self.destroy_timer(timer)


@pytest.mark.skipif(
    controller.FollowJointTrajectory is None, reason='control_msgs is not installed'
)
@pytest.mark.parametrize(
    ('code', 'way', 'reset'),
    [
        (0, None, 'done'),
        (0, 'service', 'stopped'),
        (0, 'deactivation', 'cut off'),
        (-4, None, '/stage/arm/follow_joint_trajectory ended the motion with error -4: stuck'),
    ],
)
def test_a_real_action_of_a_controller(stage: Stage, code: int, way: str, reset: str) -> None:
    arm = stage.add(ActionArm(code))
    settings = {**MOTION, 'trajectory_action': 'arm/follow_joint_trajectory', 'handover_time': 0.0}
    stage.start(**{**settings, 'speed': 0.2 if way else 1.5})
    stage.spin(0.5)
    stage.succeed_until(lambda: arm._motion or stage.rows())
    if way:
        stage.spin(0.2)
        STOPS[way][0](stage)
        stage.until(lambda: arm.cancels == 1)
    stage.until(stage.rows)
    assert stage.rows()[0]['reset'] == reset
    assert (arm.positions == pytest.approx(HOME, abs=0.05)) == (reset == 'done')


@pytest.mark.parametrize('name', ['', 'arm/follow_joint_trajectory'])
def test_a_controller_without_an_action(stage: Stage, name: str) -> None:
    settings = ResetSettings(trajectory_topic='arm/trajectory', trajectory_action=name)
    made = controller.Controller(stage.reward, settings)
    with pytest.raises(ResetError, match=r'no controller subscribes to /stage/arm/trajectory; sta'):
        made.check()
    assert made.stop(None) is False
    made.close()


# An answer that comes late


@pytest.mark.parametrize(
    ('late', 'retries', 'resets', 'reset'),
    [
        (1, 1, 2, 'done'),
        (2, 2, 3, 'done'),
        (1, 0, 1, '/stage/reset_scene did not respond within 0.8 s'),
        (9, 2, 3, '/stage/reset_scene did not respond within 0.8 s (3 tries)'),
    ],
)
def test_a_late_answer(stage: Stage, late: int, retries: int, resets: int, reset: str) -> None:
    scene = stage.add(FakeScene(None))

    def on_reset() -> None:
        scene.answer = True if scene.resets > late else None

    scene.on_reset = on_reset
    stage.start(reset_time_limit=0.8, reset_retries=retries, handover_time=0.0)
    stage.succeed_until(stage.rows)
    assert (scene.resets, stage.rows()[0]['reset']) == (resets, reset)
    stage.spin(0.5)
    assert stage.reward.episode == (2 if reset == 'done' else 1)


def test_an_early_answer_that_comes_late_is_not_that_of_the_newest_call(stage: Stage) -> None:
    """The scene is still busy with the second call when it answers the first."""
    scene = stage.add(FakeScene(None))
    stage.start(reset_time_limit=1.5, handover_time=0.0)
    stage.succeed_until(lambda: scene.resets == 2)
    scene.waiting[0].set_result(True)
    stage.spin(0.2)
    assert stage.rows() == [] and stage.reward.episode == 1
    scene.waiting[1].set_result(True)
    stage.until(lambda: stage.reward.episode == 2)
    assert stage.rows()[0]['reset'] == 'done'


def test_a_service_that_is_started_anew(stage: Stage) -> None:
    stage.start(handover_time=0.0)
    answer = stage.client.call_async(Trigger.Request())
    stage.until(lambda: stage.node._loop.phase == 'waiting for /stage/reset_scene')
    stage.add(FakeScene())
    stage.until(answer.done)
    assert answer.result().success


# Seconds of search for a table


def test_the_scene_does_not_wait_for_its_next_table(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []
    may_go_on = threading.Event()
    arrange = demo_scene.arrange_table

    def slow(*arguments: Any) -> Any:
        threads.append(threading.current_thread())
        assert len(threads) == 1 or may_go_on.wait(30)
        return arrange(*arguments)

    monkeypatch.setattr(demo_scene, 'arrange_table', slow)
    values = {'width': 32, 'height': 32, 'fps': 50.0, 'kinds': ['still'], 'seed': 7}
    overrides = [Parameter(name, value=value) for name, value in values.items()]
    scene = stage.add(SceneCamera(parameter_overrides=overrides))
    images: list[Any] = []
    stage.reward.create_subscription(Image, '/image_raw', images.append, 10)
    client = stage.reward.create_client(Trigger, '/scene/reset')
    stage.until(lambda: images and client.service_is_ready())
    answers = [client.call_async(Trigger.Request()) for _ in range(2)]
    before = len(images)
    stage.until(lambda: len(images) > before + 20)
    assert [answer.done() for answer in answers].count(True) == 1 and scene.episode.seed == 7
    may_go_on.set()
    stage.until(lambda: all(answer.done() for answer in answers))
    results = [answer.result() for answer in answers]
    assert sorted((each.success, each.message) for each in results) == [
        (False, 'a reset is already in progress'),
        (True, 'the next episode is set up'),
    ]
    assert scene.episode.seed == 8
    assert threading.main_thread() not in threads


def test_a_session_goes_on_while_a_reset_waits_for_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in `topreward demo`: rclpy must come to more than the coroutine that waits."""
    arrange, count = demo_scene.arrange_table, itertools.count()

    def slow(*arguments: Any) -> Any:
        if next(count):
            time.sleep(1.0)
        return arrange(*arguments)

    monkeypatch.setattr(demo_scene, 'arrange_table', slow)
    values = {'width': 32, 'height': 32, 'fps': 50.0, 'kinds': ['still'], 'seed': 7}
    overrides = [Parameter(name, value=value) for name, value in values.items()]
    session = Session(Node('other'))  # type: ignore[arg-type]
    scene = SceneCamera(namespace='/session', parameter_overrides=overrides)
    try:
        session.add(scene)
        other = session.recorder
        images: list[Any] = []
        other.create_subscription(Image, '/session/image_raw', images.append, 10)
        client = other.create_client(Trigger, '/session/scene/reset')
        began = time.monotonic()
        while not (images and client.service_is_ready()):
            session.listen(0.2)
            assert time.monotonic() < began + 15
        answers = []
        for _ in range(2):  # of which one comes before the next table at the latest
            answers.append(client.call_async(Trigger.Request()))
            before, began = len(images), time.monotonic()
            while not answers[-1].done():
                session.listen(0.2)
                assert time.monotonic() < began + 15
            assert len(images) > before
        assert all(answer.result().success for answer in answers) and scene.episode.seed == 9
    finally:
        scene.destroy_node()
        session.recorder.destroy_node()


def test_a_scene_without_a_table_says_so(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    arrange, seeds = demo_scene.arrange_table, iter(range(100))

    def fails_once(*arguments: Any) -> Any:
        if next(seeds) == 1:
            raise RuntimeError('no table was found for this task')
        return arrange(*arguments)

    monkeypatch.setattr(demo_scene, 'arrange_table', fails_once)
    values = {'width': 32, 'height': 32, 'kinds': ['still']}
    overrides = [Parameter(name, value=value) for name, value in values.items()]
    scene = stage.add(SceneCamera(parameter_overrides=overrides))
    client = stage.reward.create_client(Trigger, '/scene/reset')
    stage.until(lambda: scene.episode and client.service_is_ready())
    for expected in ((False, 'no episode could be made: no table was found for this task'),
                     (True, 'the next episode is set up')):  # fmt: skip
        answer = client.call_async(Trigger.Request())
        stage.until(answer.done)
        assert (answer.result().success, answer.result().message) == expected
    assert scene.episode.seed == 2


@pytest.mark.parametrize(
    ('seed', 'kind', 'task', 'gripper'),
    [
        (
            0,
            'success',
            'Put the green block next to the red block.',
            (0.603434974049, 0.205491851997),
        ),
        (7, 'still', 'Put the green block on the bowl.', (0.676343146672, 0.448875227288)),
        (26, 'short', 'Put the red block on the box.', (0.579073903024, 0.230596576993)),
        (57, 'undone', 'Put the yellow block on the box.', (0.229161097907, 0.643052257622)),
    ],
)
def test_the_scenes_stay_what_they_are(
    seed: int, kind: str, task: str, gripper: tuple[float, float]
) -> None:
    episode = SceneEpisode(seed, kind)
    assert episode.task.say() == task
    assert episode.start.gripper == pytest.approx(gripper, abs=1e-9)


# Files of arms


@pytest.mark.parametrize('arm', ['so100', 'so101', 'franka'])
def test_two_arms_in_two_namespaces_share_no_topic(stage: Stage, arm: str) -> None:
    values = yaml.safe_load((CONFIG / f'{arm}.yaml').read_text())['/**']['ros__parameters']
    names = [values[name] for name in values if name.endswith(('_topic', '_action', '_service'))]
    names += [getattr(ResetSettings(), name) for name in ('trigger_service', 'reward_node')]
    nodes = [Node('episode_reset', namespace=name) for name in ('left', 'right')]
    left, right = ({node.resolve_topic_name(name) for name in names} for node in nodes)
    for node in nodes:
        node.destroy_node()
    assert len(names) == 5 and not left & right
    assert all(name.startswith('/left/') for name in left)


@pytest.mark.parametrize(
    ('arm', 'joints'),
    [
        ('so100', ['shoulder_pan_joint', 'shoulder_lift_joint', 'elbow_flex_joint',
                   'wrist_flex_joint', 'wrist_roll_joint']),
        ('so101', ['shoulder_pan', 'shoulder_lift', 'elbow_flex', 'wrist_flex', 'wrist_roll']),
    ],
)  # fmt: skip
def test_each_arm_has_a_file(arm: str, joints: list[str]) -> None:
    values = yaml.safe_load((CONFIG / f'{arm}.yaml').read_text())['/**']['ros__parameters']
    assert values['joints'] == joints


# Texts that a spreadsheet would calculate

FORMULAS = [
    '=1+1', '+1', '-1', '@SUM(A1)', '\t=1', '\r=1', "'=1", "''=1", '＝1', '=cmd|"/c calc"!A0',
]  # fmt: skip
PLAIN = ['Open it.', "'quoted'", "it's = 1", '', "'", '1-1', 'ü=1']


@pytest.mark.parametrize('text', FORMULAS + PLAIN)
def test_a_text_is_never_a_formula(text: str) -> None:
    cell = to_cell(text)
    assert cell == (f"'{text}" if text in FORMULAS else text) and from_cell(cell) == text


@pytest.mark.parametrize('text', FORMULAS + PLAIN)
def test_texts_in_tables(tmp_path: Path, text: str) -> None:
    log = EpisodeLog(tmp_path / 'log.csv')
    # The log has one line per text
    record = EpisodeRecord('now', ' '.join(text.split()), 'success', 1.0, 0.97, text.strip(), 2.0)
    log.write(record)
    log.close()
    assert read_log(tmp_path / 'log.csv') == [record]
    row = Row(0.5, 1, Score(3, log_prob=-2.0), 0.25, 0.0, 'fixed', 0.1, text)
    write_rows(tmp_path / 'scores.csv', [row])
    assert read_rows(tmp_path / 'scores.csv') == [row]
    for file, columns in (('log.csv', ('task', 'reset')), ('scores.csv', ('task',))):
        with (tmp_path / file).open(newline='', encoding='utf-8') as stream:
            (cells,) = csv.DictReader(stream)
        assert not any(cells[name].startswith(tuple('=+-@\t\r＝')) for name in columns)
