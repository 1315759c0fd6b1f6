# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Listens to a reward node: keeps its scores, its health, and its messages in a bag."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rclpy.serialization import deserialize_message
from rclpy.time import Time

from topreward_ros.msg import Progress, SuccessDetected

from ..offline.bags.writer import BagWriter
from ..offline.score_table import Row
from ..scoring.errors import TopRewardError
from .diagnostics import DROPPED, ERROR, MISSED, REFUSED, WARN
from .middleware import apply_image_profile
from .processes import ends_with_terminal
from .qos import RECORDED_CAMERA, RESULT

PROGRESS = '/topreward/progress'
SUCCESS = '/topreward/success_detected'
DIAGNOSTICS = '/diagnostics'


class InterruptedRunError(TopRewardError):
    """A command that was ended before its time; what it had is kept."""

    exit_code = 130  # as a shell has it


@contextmanager
def recording(
    folder: Path, namespace: str, images: tuple[str, Any] | None = None
) -> Iterator[Recorder]:
    """The middleware, and a recorder with a bag at `folder`, as long as this lasts."""
    apply_image_profile()
    rclpy.init(args=[])
    if ends_with_terminal():
        signal.signal(signal.SIGHUP, signal.default_int_handler)
    try:
        with BagWriter(folder) as bag:
            recorder = Recorder(bag, namespace, images)
            try:
                yield recorder
            finally:
                recorder.destroy_node()
    finally:
        rclpy.try_shutdown()


class Recorder(Node):
    """Subscribes to everything the node publishes, and to the images where they are wanted.

    The bag has the names that the topics have without the namespace. rows and successes [s] are
    counted from the stamp of the first image scored; health is the newest status of the node,
    health_time when it came (monotonic) [s], trouble what its newest error says.
    """

    def __init__(
        self, bag: BagWriter, namespace: str = '', images: tuple[str, Any] | None = None
    ) -> None:
        super().__init__('topreward_recorder', namespace=namespace)
        self._namespace = namespace
        self._bag = bag
        self._first: int | None = None
        self.rows: list[Row] = []
        self.successes: list[float] = []
        self.health: Any = None
        self.health_time = 0.0
        self.trouble = ''
        self._record(namespace + PROGRESS, Progress, self._on_progress)
        self._record(namespace + SUCCESS, SuccessDetected, self._on_success)
        self._record(DIAGNOSTICS, DiagnosticArray, self._on_diagnostics)
        if images is not None:
            self._record(*images, None)

    @property
    def first_stamp(self) -> int:
        """The stamp that rows are counted from [ns]; 0 before the first."""
        return self._first or 0

    def fact(self, key: str) -> str:
        """A value of the newest diagnostics; empty where there is none."""
        values = self.health.values if self.health is not None else []
        return next((str(pair.value) for pair in values if pair.key == key), '')

    @property
    def complaint(self) -> str:
        """What the node's newest warning says; empty where it has none."""
        is_warned = self.health is not None and self.health.level == WARN
        return str(self.health.message) if is_warned else ''

    def lost(self) -> list[tuple[str, str]]:
        """How many frames were not scored, and why, by the newest diagnostics."""
        counts = [(self.fact(key), key) for key in (DROPPED, MISSED, REFUSED)]
        return [(count, key) for count, key in counts if count not in ('', '0')]

    def _record(
        self, topic: str, message_type: Any, callback: Callable[[Any], None] | None
    ) -> None:
        kept_as = topic.removeprefix(self._namespace)
        module = message_type.__module__.split('.')[0]
        self._bag.add_topic(kept_as, f'{module}/msg/{message_type.__name__}')
        self.create_subscription(
            message_type,
            topic,
            partial(self._write, kept_as, message_type, callback),
            RESULT if callback else RECORDED_CAMERA,
            raw=True,
        )

    def _write(
        self,
        topic: str,
        message_type: Any,
        callback: Callable[[Any], None] | None,
        data: bytes,
    ) -> None:
        self._bag.write(topic, time.time_ns(), data)
        if callback is not None:
            callback(deserialize_message(data, message_type))

    def _on_progress(self, message: Progress) -> None:
        self.rows.append(
            Row(
                time=self._seconds(message.header.stamp),
                episode=message.episode,
                frames=message.frames,
                log_prob=message.log_prob,
                log_prob_false=message.log_prob_false,
                progress=message.progress,
                reward=message.reward,
                normalization=message.normalization,
                latency=message.latency,
                task=message.task,
            )
        )

    def _on_success(self, message: SuccessDetected) -> None:
        self.successes.append(self._seconds(message.header.stamp))

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name == f'{self._namespace}/topreward: reward':
                self.health, self.health_time = status, time.monotonic()
                if status.level == ERROR:
                    self.trouble = status.message

    def _seconds(self, stamp: Any) -> float:
        nanoseconds = Time.from_msg(stamp).nanoseconds
        self._first = nanoseconds if self._first is None else self._first
        return (nanoseconds - self._first) / 1e9
