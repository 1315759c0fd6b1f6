# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A run that a command records: the middleware, a recorder, and the nodes of this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node

from topreward_ros.results.bag_writer import BagWriter

from ..common.middleware import apply_image_profile
from ..common.process import spin_for
from ..common.rclpy_versions import init_rclpy, lost_interrupts
from .recorder import Recorder


class Session:
    """Spins a recorder and the nodes that are added; is_whole is true if no interrupt occurred."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.is_whole = False
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(recorder)

    def add(self, node: Node) -> None:
        """Add a node of this process to those that are spun."""
        self._executor.add_node(node)

    def listen(self, seconds: float) -> None:
        """Spin the nodes for this time [s]."""
        spin_for(self._executor, seconds)

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Return a context that an interrupt ends without ending the program."""
        try:
            yield
            self.is_whole = True
        except (KeyboardInterrupt, ExternalShutdownException):
            pass


@contextmanager
def open_session(
    folder: Path, namespace: str, image_topic: str = '', compressed: bool = False
) -> Iterator[Session]:
    """Open the middleware and a recorder with a bag at `folder`, for the duration of the context.

    If image_topic is not empty, its images are recorded, too.
    """
    apply_image_profile()
    init_rclpy(['--ros-args', '--log-level', 'warn'])  # a command shows what happens
    try:
        with BagWriter(folder) as bag:
            with lost_interrupts():
                recorder = Recorder(bag, namespace, image_topic, compressed)
            try:
                yield Session(recorder)
            finally:
                recorder.destroy_node()
    finally:
        rclpy.try_shutdown()
