# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The video publisher in its own process: rates, loops, stamps and the clock."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, Image

from topreward_ros.nodes.common.qos import QOS_CAMERA_RECORDED
from topreward_ros.scoring.image_decoding import decode_compressed_image, decode_image

COUNT = 6
LEVELS = [40 * k for k in range(COUNT)]


@pytest.fixture(scope='module')
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six grey images, each lighter than the one before."""
    folder = tmp_path_factory.mktemp('clip')
    for k, level in enumerate(LEVELS):
        pixels = np.full((32, 48, 3), level, np.uint8)
        PillowImage.fromarray(pixels).save(folder / f'{k}.png')
    return folder


class Subscriber:
    """Collects the messages of a camera topic and of a clock."""

    def __init__(self, kind: Any, topic: str) -> None:
        self.node = Node('watcher')
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.node)
        self.images: list[Any] = []
        self.ticks: list[float] = []
        self.node.create_subscription(kind, topic, self.images.append, QOS_CAMERA_RECORDED)
        self.node.create_subscription(Clock, '/test_clock', self._on_clock, 10)

    def _on_clock(self, message: Clock) -> None:
        self.ticks.append(message.clock.sec + message.clock.nanosec / 1e9)

    def stamps(self) -> np.ndarray:
        headers = [image.header.stamp for image in self.images]
        return np.array([stamp.sec + stamp.nanosec / 1e9 for stamp in headers])


@pytest.fixture
def publish(clip: Path) -> Iterator[Any]:
    started: list[tuple[subprocess.Popen[bytes], Subscriber]] = []

    def start(*arguments: str, kind: Any = Image, topic: str = '/clip') -> Subscriber:
        watcher = Subscriber(kind, topic + ('/compressed' if kind is CompressedImage else ''))
        command = [
            sys.executable,
            '-m',
            'topreward_ros.commands.main',
            'publish',
            str(clip),
            '--wait',
            '1',
        ]
        process = subprocess.Popen([*command, '--topic', topic, *arguments])
        started.append((process, watcher))
        end = time.monotonic() + 30
        while len(watcher.images) < 3 * COUNT and process.poll() is None:
            watcher.executor.spin_once(timeout_sec=0.1)
            assert time.monotonic() < end
        for _ in range(20):
            watcher.executor.spin_once(timeout_sec=0.02)
        return watcher

    yield start
    for process, watcher in started:
        process.kill()
        process.wait()
        watcher.executor.shutdown()
        watcher.node.destroy_node()


def test_once_at_a_chosen_rate(publish) -> None:
    """No image is early; one may be late, where a machine is held up, and the next catch up."""
    watcher = publish('--fps', '2')
    assert [int(decode_image(image)[0, 0, 0]) for image in watcher.images] == LEVELS
    stamps = watcher.stamps()
    assert (np.diff(stamps) > 0).all()
    assert stamps[-1] - stamps[0] > (COUNT - 1) / 2 - 1, 'only a first image 1 s late allows that'
    assert {image.encoding for image in watcher.images} == {'rgb8'}
    assert {image.header.frame_id for image in watcher.images} == {'camera'}
    assert abs(watcher.stamps()[-1] - time.time()) < 10


def test_in_a_loop_the_stamps_go_on(publish) -> None:
    watcher = publish('--fps', '50', '--loop')
    assert len(watcher.images) >= 3 * COUNT
    assert (np.diff(watcher.stamps()) > 0).all()
    shown = [int(decode_image(image)[0, 0, 0]) for image in watcher.images]
    assert shown[: 3 * COUNT] == LEVELS * 3


def test_clip_time_on_a_clock(publish) -> None:
    """Five times as fast, but stamped in clip time."""
    watcher = publish('--fps', '10', '--speed', '5', '--clock', '--remap', '/clock:=/test_clock')
    assert np.diff(watcher.stamps()) == pytest.approx(0.1, abs=1e-6)
    assert watcher.ticks and set(watcher.ticks) <= set(watcher.stamps())


def test_as_fast_as_possible_and_compressed(publish) -> None:
    watcher = publish(
        '--fps', '0.2', '--speed', '0', '--image-transport', 'compressed', kind=CompressedImage
    )
    levels = [int(decode_compressed_image(image)[0, 0, 0]) for image in watcher.images]
    assert levels == pytest.approx(LEVELS, abs=3)
    assert watcher.stamps()[-1] - watcher.stamps()[0] < 5  # 25 s in real time
