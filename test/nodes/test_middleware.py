# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The Fast DDS profile: when it is set, and that images arrive with it."""

import multiprocessing
import os
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path
from xml.etree import ElementTree

import pytest

from topreward_ros.nodes.common.middleware import image_profile_environment

from ..domains import COMMANDS_DOMAIN

PROFILE = 'FASTDDS_DEFAULT_PROFILES_FILE'
PROFILE_BEFORE_KILTED = 'FASTRTPS_DEFAULT_PROFILES_FILE'
IMAGES, RATE = 30, 10  # [1/s]


def test_profile_is_set_by_the_name_the_release_knows() -> None:
    assert image_profile_environment({}).keys() == {PROFILE}
    assert image_profile_environment({'ROS_DISTRO': 'kilted'}).keys() == {PROFILE}
    assert image_profile_environment({'ROS_DISTRO': 'humble'}).keys() == {PROFILE_BEFORE_KILTED}
    (profile,) = image_profile_environment({}).values()
    assert ElementTree.parse(Path(profile)).getroot().tag.endswith('dds')


@pytest.mark.parametrize(
    'environ',
    [
        {PROFILE: 'mine.xml'},
        {PROFILE_BEFORE_KILTED: 'mine.xml'},
        {'RMW_IMPLEMENTATION': 'rmw_cyclonedds_cpp'},
        {'RMW_IMPLEMENTATION': 'rmw_zenoh_cpp'},
    ],
)
def test_choice_of_the_user_stays(environ: dict[str, str]) -> None:
    assert image_profile_environment(environ) == {}


def test_fast_dds_by_name() -> None:
    assert image_profile_environment({'RMW_IMPLEMENTATION': 'rmw_fastrtps_cpp'}) != {}


def test_middleware_does_not_import_rclpy() -> None:
    code = (
        "import sys, topreward_ros.nodes.common.middleware as _; sys.exit('rclpy' in sys.modules)"
    )
    assert os.spawnl(os.P_WAIT, sys.executable, sys.executable, '-c', code) == 0


@pytest.mark.slow
def test_images_arrive_with_the_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    # A busy machine may lose best-effort images, but not in every attempt.
    received = (images_received(monkeypatch, with_profile=True) for _ in range(3))
    assert any(count >= 0.8 * IMAGES for count in received)


def test_images_get_lost_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert images_received(monkeypatch, with_profile=False) <= 0.5 * IMAGES


def images_received(monkeypatch: pytest.MonkeyPatch, with_profile: bool) -> int:
    """Publish 1280x720 images from one process, best effort, and count them in another."""
    pytest.importorskip('rclpy')
    for variable in (PROFILE, PROFILE_BEFORE_KILTED):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv('RMW_IMPLEMENTATION', 'rmw_fastrtps_cpp')
    monkeypatch.setenv('ROS_DOMAIN_ID', str(COMMANDS_DOMAIN))
    if with_profile:
        for variable, value in image_profile_environment().items():
            monkeypatch.setenv(variable, value)
    spawn = multiprocessing.get_context('spawn')
    results, end = spawn.Pipe(duplex=False)
    processes = [
        spawn.Process(target=publish_images, daemon=True),
        spawn.Process(target=count_images, args=(end,), daemon=True),
    ]
    for process in processes:
        process.start()
    assert results.poll(60), 'neither process reported'
    received = int(results.recv())
    for process in processes:
        process.join(30)
        process.kill()
    return received


def publish_images() -> None:
    import rclpy
    from rclpy.qos import qos_profile_sensor_data
    from sensor_msgs.msg import Image

    rclpy.init()
    publisher = rclpy.create_node('camera').create_publisher(
        Image, 'image', qos_profile_sensor_data
    )
    image = Image(width=1280, height=720, encoding='rgb8', step=3 * 1280)
    image.data.frombytes(bytes(3 * 1280 * 720))
    wait_until(publisher.get_subscription_count)
    for _ in range(IMAGES):
        publisher.publish(image)
        time.sleep(1 / RATE)
    wait_until(lambda: not publisher.get_subscription_count())


def count_images(results: Connection) -> None:
    import rclpy
    from rclpy.qos import QoSProfile, ReliabilityPolicy
    from sensor_msgs.msg import Image

    rclpy.init()
    node = rclpy.create_node('listener')
    received: list[Image] = []
    newest = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    subscription = node.create_subscription(Image, 'image', received.append, newest)
    wait_until(lambda: node.count_publishers(subscription.topic_name))
    end = time.monotonic() + IMAGES / RATE + 2
    while time.monotonic() < end and len(received) < IMAGES:
        rclpy.spin_once(node, timeout_sec=0.1)
    results.send(len(received))
    node.destroy_node()
    rclpy.shutdown()


def wait_until(condition, timeout: float = 15) -> None:
    end = time.monotonic() + timeout
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
