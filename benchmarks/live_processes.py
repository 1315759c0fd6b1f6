# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Cameras and nodes in processes of their own, and a node that hears them, for the benchmarks."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from PIL import Image as PillowImage
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.utilities import get_rmw_implementation_identifier

from topreward_ros.demo.pattern import pattern_frame
from topreward_ros.msg import Progress
from topreward_ros.nodes.common.middleware import apply_image_profile
from topreward_ros.nodes.common.qos import QOS_RESULT

RATE = 30.0  # of the camera [1/s]
IMAGES = 15  # in the clip, which is played over and over
READY = 60.0  # at most, for a process to be there [s]
# Domains 0 to 101 are those of the tests and of everybody; Linux leaves 215 to 232 free as well.
DOMAIN = 215 + os.getpid() % 17


class Listener(Node):
    """Hears what the reward node publishes."""

    def __init__(self) -> None:
        super().__init__('benchmark')
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self)
        self.latencies: list[float] = []
        self.health: list[tuple[float, dict[str, str]]] = []
        self.create_subscription(Progress, '/topreward/progress', self._on_progress, QOS_RESULT)
        self.create_subscription(DiagnosticArray, '/diagnostics', self._on_health, QOS_RESULT)

    def forget(self) -> None:
        self.latencies.clear()
        self.health.clear()

    def listen(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._executor.spin_once(timeout_sec=left)

    def fact(self, key: str) -> str:
        """The newest value in the diagnostics."""
        return self.health[-1][1].get(key, '') if self.health else ''

    def rate(self, key: str) -> float | None:
        """By how much a count in the diagnostics has grown per second; None if heard once only."""
        if len(self.health) < 2 or key not in self.health[0][1]:
            return None
        (began, first), (ended, last) = self.health[0], self.health[-1]
        return (int(last[key]) - int(first[key])) / (ended - began)

    def _on_progress(self, message: Progress) -> None:
        self.latencies.append(message.latency)

    def _on_health(self, message: DiagnosticArray) -> None:
        values = {pair.key: pair.value for status in message.status for pair in status.values}
        self.health.append((time.monotonic(), values))


@contextmanager
def listening() -> Iterator[Listener]:
    """A listener on a domain of its own, which the processes inherit."""
    os.environ['ROS_DOMAIN_ID'] = str(DOMAIN)
    os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    apply_image_profile()
    rclpy.init()
    listener = Listener()
    try:
        yield listener
    finally:
        listener.destroy_node()
        rclpy.try_shutdown()


def ros_facts() -> dict[str, str]:
    try:
        rclpy_version = version('rclpy')
    except PackageNotFoundError:  # not from wheels
        rclpy_version = os.environ.get('ROS_DISTRO', 'unknown')
    return {'rclpy': rclpy_version, 'middleware': get_rmw_implementation_identifier()}


def draw_clip(folder: Path, width: int, height: int) -> Path:
    """A few images without compression, so that the camera has little to decode."""
    if not folder.exists():
        folder.mkdir()
        for k in range(IMAGES):
            image = pattern_frame(k / IMAGES, height, width)
            PillowImage.fromarray(image).save(folder / f'{k:02}.bmp')
    return folder


def wait(
    listener: Listener,
    process: subprocess.Popen[bytes],
    log: Path,
    condition: Callable[[], Any],
    seconds: float = READY,
) -> None:
    """Listen until the condition holds; RuntimeError with the log where it does not in time."""
    end = time.monotonic() + seconds
    while not condition():
        listener.listen(0.1)
        if time.monotonic() > end or process.poll() is not None:
            raise RuntimeError(f'{process.args!r} did not come up:\n{log.read_text()}')


def counts(log: Path) -> list[tuple[float, int]]:
    """When the camera had published how many images."""
    lines = re.findall(r'^([\d.]+) (\d+)$', log.read_text(encoding='utf-8'), re.MULTILINE)
    return [(float(at), int(count)) for at, count in lines]


@contextmanager
def started(
    name: str, log: Path, environ: Iterable[tuple[str, str]] = (), **values: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """A process of camera_process with these parameters; ended afterwards."""
    topic = 'image_raw' if name == 'camera' else 'image'
    arguments = ['--ros-args', '-r', f'{topic}:=/camera/image_raw']
    for key, value in values.items():
        text = str(value).lower() if isinstance(value, bool) else value
        text = f"'{value}'" if key == 'task' else text
        arguments += ['-p', f'{key}:={text}']
    with log.open('w', encoding='utf-8') as stream:
        process = subprocess.Popen(
            [sys.executable, '-m', 'benchmarks.camera_process', name, *arguments],
            stdout=stream,
            stderr=subprocess.STDOUT,
            cwd=Path(__file__).parents[1],
            env={**os.environ, **dict(environ)},
        )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
