# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A run that a command watches: the middleware, a recorder, and what this process spins."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node

from topreward_ros.results.bag_writer import BagWriter

from ..common.middleware import apply_image_profile
from ..common.signals import ends_with_terminal
from .recorder import Recorder


class Session:
    """Spins a recorder, and nodes that are added; is_whole tells a run that was not interrupted."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.is_whole = False
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(recorder)

    def add(self, node: Node) -> None:
        """Spin a node of this process too."""
        self._executor.add_node(node)

    def listen(self, seconds: float) -> None:
        """Spin for so long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._executor.spin_once(timeout_sec=left)

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """An interrupt ends what is done within it, and no more than that."""
        try:
            yield
            self.is_whole = True
        except (KeyboardInterrupt, ExternalShutdownException):
            pass


@contextmanager
def open_session(
    folder: Path, namespace: str, image_topic: str = '', compressed: bool = False
) -> Iterator[Session]:
    """The middleware, and a recorder with a bag at `folder`, as long as this lasts.

    The images of image_topic are in the bag too, where one is named.
    """
    apply_image_profile()
    rclpy.init(args=[])
    if ends_with_terminal():
        signal.signal(signal.SIGHUP, signal.default_int_handler)
    try:
        with BagWriter(folder) as bag:
            recorder = Recorder(bag, namespace, image_topic, compressed)
            try:
                yield Session(recorder)
            finally:
                recorder.destroy_node()
    finally:
        rclpy.try_shutdown()
