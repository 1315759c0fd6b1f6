# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Run cameras and nodes in separate processes, and subscribe to them, for the benchmarks."""

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
from topreward_ros.nodes.common.process import spin_for
from topreward_ros.nodes.common.qos import QOS_RESULT

RATE = 30.0  # of the camera [1/s]
IMAGES = 15  # in the clip, which is repeated
START_TIME_LIMIT = 60.0  # of a process [s]
# Domains 0 to 101 are common and used by the tests; 215 to 232 are valid on Linux, too
DOMAIN = 215 + os.getpid() % 17


class Listener(Node):
    """Subscribes to the reward node."""

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
        spin_for(self._executor, seconds)

    def fact(self, key: str) -> str:
        """Return the newest value in the diagnostics."""
        return self.health[-1][1].get(key, '') if self.health else ''

    def rate(self, key: str) -> float | None:
        """Return the growth per second of a count in the diagnostics; None after one message."""
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
    """Write a few uncompressed images, so that decoding is cheap for the camera."""
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
    seconds: float = START_TIME_LIMIT,
) -> None:
    """Listen until the condition holds; raises RuntimeError with the log after the time limit."""
    end = time.monotonic() + seconds
    while not condition():
        listener.listen(0.1)
        if time.monotonic() > end or process.poll() is not None:
            raise RuntimeError(f'{process.args!r} did not start:\n{log.read_text()}')


def counts(log: Path) -> list[tuple[float, int]]:
    """Return times and image counts in the camera's log."""
    lines = re.findall(r'^([\d.]+) (\d+)$', log.read_text(encoding='utf-8'), re.MULTILINE)
    return [(float(at), int(count)) for at, count in lines]


@contextmanager
def started(
    name: str, log: Path, environ: Iterable[tuple[str, str]] = (), **values: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process of camera_process with these parameters; end it afterwards."""
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
