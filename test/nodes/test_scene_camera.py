# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The camera of the small world."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image
from std_msgs.msg import Bool, String
from std_srvs.srv import Trigger

from topreward_ros.demo.scene import SceneEpisode
from topreward_ros.nodes.cameras.scene_camera import SceneCamera, run_node
from topreward_ros.nodes.common.qos import QOS_CAMERA_RECORDED, QOS_TASK

EPISODES = [SceneEpisode(1, 'success'), SceneEpisode(2, 'short')]


class SceneClient:
    """A scene and a node that subscribes to it."""

    def __init__(self) -> None:
        self.executor = SingleThreadedExecutor()
        self.node = Node('watcher')
        self.executor.add_node(self.node)
        self.images: list[Image] = []
        self.tasks: list[str] = []
        self.node.create_subscription(Image, 'image_raw', self.images.append, QOS_CAMERA_RECORDED)
        self.node.create_subscription(String, 'task', lambda m: self.tasks.append(m.data), QOS_TASK)
        self.running = self.node.create_publisher(Bool, 'running', QOS_TASK)
        self.reset = self.node.create_client(Trigger, 'scene/reset')
        self.scene: Any = None

    def start(self, programme: list[SceneEpisode] | None = None, **values: Any) -> SceneCamera:
        values = {'width': 48, 'height': 32, 'fps': 20.0, 'rest': 0.0, **values}
        overrides = [Parameter(name, value=value) for name, value in values.items()]
        self.scene = SceneCamera(programme, parameter_overrides=overrides)
        self.executor.add_node(self.scene)
        self.until(lambda: self.scene.episode)
        return self.scene

    def until(self, condition: Callable[[], Any], seconds: float = 15.0) -> None:
        end = time.monotonic() + seconds
        while not condition():
            self.executor.spin_once(timeout_sec=0.05)
            assert time.monotonic() < end, f'not true after {seconds} s'

    def call_reset(self) -> Trigger.Response:
        self.until(self.reset.service_is_ready)
        answer = self.reset.call_async(Trigger.Request())
        self.until(answer.done)
        return answer.result()

    def close(self) -> None:
        if self.scene is not None:
            self.scene.destroy_node()
        self.node.destroy_node()
        self.executor.shutdown()


@pytest.fixture
def watcher() -> Iterator[SceneClient]:
    watcher = SceneClient()
    yield watcher
    watcher.close()


def pixels(message: Image) -> np.ndarray:
    return np.frombuffer(bytes(message.data), np.uint8).reshape(message.height, message.width, 3)


def test_images_of_the_size_and_rate_asked_for(watcher: SceneClient) -> None:
    scene = watcher.start(EPISODES)
    watcher.until(lambda: len(watcher.images) >= 20)
    stamps = [m.header.stamp.sec + m.header.stamp.nanosec / 1e9 for m in watcher.images]
    assert (np.diff(stamps) > 0).all()
    # What the timer is set to: a machine that has more to do is late, and catches up
    assert 0.05 in [timer.timer_period_ns / 1e9 for timer in scene.timers]
    assert pixels(watcher.images[-1]).shape == (32, 48, 3)
    assert watcher.tasks == [EPISODES[0].task.say()]


def test_a_reset_sets_the_table_for_the_next_episode(watcher: SceneClient) -> None:
    scene = watcher.start(EPISODES)
    watcher.until(lambda: scene.shown)
    assert scene.episode is EPISODES[0] and not scene.shown[0].ended
    assert watcher.call_reset().success
    assert scene.episode is EPISODES[1] and scene.shown[0].ended
    watcher.until(lambda: watcher.tasks == [episode.task.say() for episode in EPISODES])
    assert not scene.is_over
    assert watcher.call_reset().message == 'that was the last episode'
    assert scene.is_over


def test_the_arm_waits_to_be_told(watcher: SceneClient) -> None:
    scene = watcher.start(EPISODES, wait_for_running=True)
    watcher.until(lambda: len(watcher.images) >= 10)
    assert not scene.shown
    watcher.running.publish(Bool(data=False))
    watcher.until(lambda: len(watcher.images) >= 15)
    assert not scene.shown
    watcher.running.publish(Bool(data=True))
    watcher.until(lambda: scene.shown)
    before = len(watcher.images)
    watcher.until(lambda: len(watcher.images) >= before + 30)
    first, last = (pixels(watcher.images[k]).astype(int) for k in (0, -1))
    assert np.abs(first - last).max() > 60, 'nothing moved'


def test_without_a_programme_it_goes_on_for_ever(watcher: SceneClient) -> None:
    scene = watcher.start(kinds=['still', 'undone'], seed=5)
    kinds = [scene.episode.kind]
    for _ in range(2):
        watcher.call_reset()
        kinds.append(scene.episode.kind)
    assert kinds == ['still', 'undone', 'still'] and scene.episode.seed == 7


def test_an_unknown_kind_ends_it(capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    monkeypatch.setattr('topreward_ros.nodes.cameras.process.apply_image_profile', lambda: None)
    monkeypatch.setattr('rclpy.init', lambda **_: None)
    monkeypatch.setattr('rclpy.try_shutdown', lambda: None)
    assert run_node([], {'kinds': ['triumph']}) == 1
    assert "kind is 'triumph'; expected one of" in capsys.readouterr().err
