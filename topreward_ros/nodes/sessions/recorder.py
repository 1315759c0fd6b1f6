# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Listens to a reward node: keeps its scores, its health, and its messages in a bag."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rclpy.serialization import deserialize_message
from rclpy.time import Time
from sensor_msgs.msg import CompressedImage, Image

from topreward_ros.msg import Progress, SuccessDetected
from topreward_ros.results.bag_writer import BagWriter
from topreward_ros.results.messages import score_of
from topreward_ros.results.score_table import Row
from topreward_ros.results.scored_bag import TOPIC_PROGRESS, TOPIC_SUCCESS

from ..common.diagnostics import DROPPED, ERROR, MISSED, REFUSED, WARN
from ..common.qos import QOS_CAMERA_RECORDED, QOS_RESULT

TOPIC_DIAGNOSTICS = '/diagnostics'


class Recorder(Node):
    """Subscribes to everything the node publishes, and to the images where they are wanted.

    The bag has the names that the topics have without the namespace. rows and successes [s] are
    counted from the stamp of the first image scored; health is the newest status of the node,
    health_time when it came (monotonic) [s], problem what its newest error says.
    """

    def __init__(
        self,
        bag: BagWriter,
        namespace: str = '',
        image_topic: str = '',
        compressed: bool = False,
    ) -> None:
        super().__init__('topreward_recorder', namespace=namespace)
        self._namespace = namespace
        self._bag = bag
        self._first: int | None = None
        self.rows: list[Row] = []
        self.successes: list[float] = []
        self.health: Any = None
        self.health_time = 0.0
        self.problem = ''
        self._record(namespace + TOPIC_PROGRESS, Progress, self._on_progress)
        self._record(namespace + TOPIC_SUCCESS, SuccessDetected, self._on_success)
        self._record(TOPIC_DIAGNOSTICS, DiagnosticArray, self._on_diagnostics)
        if image_topic:
            self._record(image_topic, CompressedImage if compressed else Image, None)

    @property
    def first_stamp(self) -> int:
        """The stamp that rows are counted from [ns]; 0 before the first."""
        return self._first or 0

    def fact(self, key: str) -> str:
        """A value of the newest diagnostics; empty where there is none."""
        values = self.health.values if self.health is not None else []
        return next((str(pair.value) for pair in values if pair.key == key), '')

    @property
    def warning(self) -> str:
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
            QOS_RESULT if callback else QOS_CAMERA_RECORDED,
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
        score = score_of(message)
        if score is None:  # nothing was said
            return
        self.rows.append(
            Row(
                time=self._seconds(message.header.stamp),
                episode=message.episode,
                score=score,
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
                    self.problem = status.message

    def _seconds(self, stamp: Any) -> float:
        nanoseconds = Time.from_msg(stamp).nanoseconds
        self._first = nanoseconds if self._first is None else self._first
        return (nanoseconds - self._first) / 1e9
