# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Images over DDS: their stamps, their cameras, their encodings and their size."""

from __future__ import annotations

import io
import math
import re
import time
from collections import deque
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image as PillowImage

pytest.importorskip('rclpy', reason='ROS 2 is not available: pip install .[kilted,test]')

from sensor_msgs.msg import CompressedImage, Image

from topreward_ros.nodes.reward.stamp_check import StampCheck, in_words
from topreward_ros.scoring.sampling import NANOSECONDS

from ..nodes.harness import Harness
from ..nodes.test_lifecycle import AUTOSTART, LEVEL_ERROR, LEVEL_OK, LEVEL_WARN
from . import test_images as encodings

HOUR = 3600.0


# Kind: a camera whose clock is not the node's. Its images are scored, and no latency is made up.
@pytest.mark.parametrize(
    ('origin', 'size'),
    [
        ('zero', r'\d\d\.\d years before their arrival'),
        ('uptime', r'\d\d\.\d years before their arrival'),
        ('behind', r'2\.0 hours before their arrival'),
        ('ahead', r'1\.0 days after their arrival'),
        ('near', None),
    ],
)
def test_stamps_of_another_clock(active: Harness, origin: str, size: str | None) -> None:
    now = time.time()
    active.origin = {
        'zero': 0.0,
        'uptime': 81_234.5,
        'behind': now - 2 * HOUR - 5,
        'ahead': now + 24.1 * HOUR,
        'near': now - 3,
    }[origin]
    active.ask()
    scores = [active.score(seconds) for seconds in (0.0, 0.5, 1.0)]
    assert [score.frames for score in scores] == [1, 2, 3]
    if size is None:
        active.diagnosis('scoring', LEVEL_OK)
        assert all(0 < score.latency < 20 for score in scores)
        return
    message = active.diagnosis('their arrival', LEVEL_WARN)
    assert re.search(size, message), message
    assert all(math.isnan(score.latency) for score in scores)
    assert active.fact('latency [s]') == 'nan'


# Kind: two cameras on one topic, told apart by their frame_id or by their clocks.
def test_two_cameras_with_frames_of_their_own(active: Harness) -> None:
    active.ask()
    active.score(0.0)
    for number in range(1, 5):
        message = active.show(number / 2)
        message.header.frame_id = 'wrist'
        active.images.publish(message)
        active.spin(0.1)
    message = active.diagnosis('two cameras publish on', LEVEL_ERROR)
    assert "'eye'" in message and "'wrist'" in message
    count = len(active.progress)
    active.show(5.0)
    active.spin(0.5)
    assert len(active.progress) == count
    assert active.start_episode().success
    assert active.score(5.5).episode == 2
    active.diagnosis('scoring', LEVEL_OK)


def test_two_clocks_that_take_turns(active: Harness) -> None:
    active.ask()
    started = time.monotonic()

    def are_told_apart() -> bool:
        seconds = time.monotonic() - started
        active.show(seconds)
        active.spin(0.1)
        active.show(seconds + 0.1 - 500.0)
        return 'take turns' in active.health[-1].message

    active.until(are_told_apart)
    message = active.diagnosis('take turns', LEVEL_ERROR)
    assert '8.3 minutes apart' in message
    count = len(active.progress)
    active.show(20.0)
    active.spin(0.5)
    assert len(active.progress) == count


def test_two_publishers_are_told(active: Harness) -> None:
    active.ask()
    other = active.node.create_publisher(Image, active.camera, 10)
    active.score(0.0)
    active.diagnosis('2 publishers are on /image; expected one camera', LEVEL_WARN)
    active.node.destroy_publisher(other)
    active.score(0.5)
    active.diagnosis('scoring', LEVEL_OK)


@pytest.mark.parametrize('kind', ['one clock', 'slow drift', 'one late image', 'busy computer'])
def test_one_camera_is_not_taken_for_two(kind: str) -> None:
    check = StampCheck('/image')
    noise = np.random.default_rng(0)
    for number in range(400):
        stamp = number * NANOSECONDS // 2
        delay = 0.05 + noise.exponential(0.02)
        if kind == 'slow drift':
            delay += number * 0.01
        elif kind == 'one late image' and number % 7 == 0:
            delay += 0.9
        elif kind == 'busy computer':
            delay += noise.exponential(0.6)
        assert check.note(stamp, 'eye', stamp + round(delay * NANOSECONDS)) is None


@pytest.mark.parametrize('order', ['alternating', 'random'])
@pytest.mark.parametrize('distance', [1.5, 30.0, 1e9])
def test_two_clocks_are_found_in_any_order(order: str, distance: float) -> None:
    check = StampCheck('/image')
    noise = np.random.default_rng(1)
    found: deque[str] = deque()
    for number in range(30):
        arrival = (2e9 + number / 2 + noise.exponential(0.02)) * NANOSECONDS
        is_other = number % 2 if order == 'alternating' else noise.integers(2)
        stamp = round(arrival - is_other * distance * NANOSECONDS)
        if reason := check.note(stamp, '', round(arrival)):
            found.append(reason)
    assert found and f'{in_words(distance)[:3]}' in found[0]


@pytest.mark.parametrize(
    ('seconds', 'words'), [(0.8, '0.8 s'), (90, '1.5 minutes'), (1.8e9, '57.0 years')]
)
def test_sizes_in_words(seconds: float, words: str) -> None:
    assert in_words(seconds) == words


# Kind: points of the grid without an image.
def test_a_grid_that_loses_points_is_a_warning(active: Harness) -> None:
    active.ask()
    active.score(0.0)
    for seconds in (2.0, 4.0, 6.0):
        active.score(seconds)
    active.diagnosis('9 of the last 13 points of the sampling grid had no image', LEVEL_WARN)
    assert active.fact('images too late (grid points missed)') == '9'
    for k in range(1, 12):
        active.score(6.0 + k / 2)
    active.diagnosis('scoring', LEVEL_OK)


# Kind: encodings of cameras, without cv_bridge.
def test_encodings_without_cv_bridge(active: Harness) -> None:
    active.ask()
    exact = ('rgb8', '8UC3', 'bgra8', 'rgb16')
    expected = [scored_as(active, name, number) for number, name in enumerate(exact)]
    assert expected == [expected[0]] * 4
    for number, name in enumerate(('yuv422_yuy2', 'uyvy', 'nv12', 'bayer_grbg8'), 4):
        assert scored_as(active, name, number) == pytest.approx(expected[0], abs=0.1)


def scored_as(active: Harness, encoding: str, seconds: float) -> float:
    message = encodings.message(encoding)
    fields = {name: getattr(message, name) for name in ('encoding', 'step', 'data')}
    assert active.start_episode().success
    return active.score(seconds, pixels=encodings.PICTURE, **fields).log_prob


@pytest.mark.parametrize('encoding', ['16UC1', '32FC1'])
def test_depth_is_refused_as_what_it_is(active: Harness, encoding: str) -> None:
    active.ask()
    active.show(0.0, encoding=encoding)
    active.diagnosis(f"encoding '{encoding}' is of depth", LEVEL_WARN)
    assert active.score(0.5).frames == 1


# Kind: memory of images that wait.
def test_a_huge_picture_costs_no_more_while_it_waits_than_a_small_one(launch: Any) -> None:
    arguments = '-p', 'task:=x', '-p', 'image_transport:=compressed', '-p', 'fps:=10.0'
    harness = launch(*AUTOSTART, *arguments, faults={'score_seconds': 15.0})
    harness.open_camera(compressed=True)
    harness.until(lambda: harness.fact('state') == 'active')
    process = psutil.Process(harness.process.process.pid)

    def publish(width: int, height: int) -> None:
        if (width, height) not in pictures:
            file = io.BytesIO()
            PillowImage.new('L', (width, height), 90).save(file, 'PNG')
            pictures[width, height] = file.getvalue()
        message = CompressedImage(format='png', data=pictures[width, height])
        message.header.stamp = harness.node.get_clock().now().to_msg()
        harness.images.publish(message)
        harness.spin(0.15)

    pictures: dict[tuple[int, int], bytes] = {}
    while not harness.progress:
        publish(64, 48)
    small = process.memory_info().rss
    growth: list[float] = []
    end = time.monotonic() + 100
    while len(growth) < 10:
        assert time.monotonic() < end, harness.output()
        publish(6000, 4000)
        facts = 'frames waiting', 'images of another size'
        if all(int(harness.fact(name)) >= 8 for name in facts):  # the newest 8 are huge
            growth.append((process.memory_info().rss - small) / 1e6)
    # Eight that wait as they were decoded take 576 MB. One that is decoded takes 96 for that time,
    # and the allocator may keep as much, so the least says what the waiting ones take.
    assert min(growth) < 400, growth
