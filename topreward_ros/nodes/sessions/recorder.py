# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A node that records a reward node: its scores, its diagnostics, and its messages in a bag."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.serialization import deserialize_message
from rclpy.time import Time
from sensor_msgs.msg import CompressedImage, Image

from topreward_ros.msg import Event, Progress, SuccessDetected
from topreward_ros.results.bag_writer import BagWriter
from topreward_ros.results.messages import score_of
from topreward_ros.results.score_table import Row
from topreward_ros.results.scored_bag import TOPIC_EVENTS, TOPIC_PROGRESS, TOPIC_SUCCESS

from ..common.diagnostics import KEY_DROPPED, KEY_MISSED, KEY_REFUSED, LEVEL_ERROR, LEVEL_WARN
from ..common.qos import QOS_CAMERA_RECORDED, QOS_RESULT

TOPIC_DIAGNOSTICS = '/diagnostics'


class Recorder(Node):
    """Subscribes to everything that the reward node publishes and, optionally, to its images.

    Topics are recorded without the namespace. Times in rows and successes [s] count from the stamp
    of the first scored image; health is the newest status of the node, health_time the time of its
    arrival (steady clock) [s], and problem the message of the newest error. halted is why the reset
    node beside it has halted, reset_warning the message of its newest status if that is a warning;
    empty if it is not so, or if there is none.
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
        self.newest_stamp = 0  # of the images scored [ns]
        self.health: Any = None
        self.health_time = 0.0
        self.problem = ''
        self.halted = self.reset_warning = ''
        self._record(namespace + TOPIC_PROGRESS, Progress, self._on_progress)
        self._record(namespace + TOPIC_SUCCESS, SuccessDetected, self._on_success)
        self._record(namespace + TOPIC_EVENTS, Event)
        self._record(TOPIC_DIAGNOSTICS, DiagnosticArray, self._on_diagnostics)
        if image_topic:
            kind = CompressedImage if compressed else Image
            self._record(image_topic, kind, qos=QOS_CAMERA_RECORDED)

    @property
    def first_stamp(self) -> int:
        """The stamp from which the times of rows count [ns]; 0 before the first."""
        return self._first or 0

    def fact(self, key: str) -> str:
        """Return a value of the newest diagnostics; empty if there is none."""
        values = self.health.values if self.health is not None else []
        return next((str(pair.value) for pair in values if pair.key == key), '')

    @property
    def warning(self) -> str:
        """The message of the newest status if it is a warning, else empty."""
        is_warning = self.health is not None and self.health.level == LEVEL_WARN
        return str(self.health.message) if is_warning else ''

    def count(self, *keys: str) -> int:
        """Return the sum of these counts in the newest diagnostics; 0 before the first."""
        return sum(int(self.fact(key) or 0) for key in keys)

    def lost(self) -> list[tuple[int, str]]:
        """Return the numbers of frames that were not scored and their causes, if not 0."""
        counts = [(self.count(key), key) for key in (KEY_DROPPED, KEY_MISSED, KEY_REFUSED)]
        return [(count, key) for count, key in counts if count]

    def _record(
        self,
        topic: str,
        message_type: Any,
        callback: Callable[[Any], None] | None = None,
        qos: QoSProfile = QOS_RESULT,
    ) -> None:
        recorded_topic = topic.removeprefix(self._namespace)
        module = message_type.__module__.split('.')[0]
        self._bag.add_topic(recorded_topic, f'{module}/msg/{message_type.__name__}')
        self.create_subscription(
            message_type,
            topic,
            partial(self._write, recorded_topic, message_type, callback),
            qos,
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
        if score is None:  # the message has no score
            return
        self.newest_stamp = Time.from_msg(message.header.stamp).nanoseconds
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
                reward_model=message.reward_model,
            )
        )

    def _on_success(self, message: SuccessDetected) -> None:
        self.successes.append(self._seconds(message.header.stamp))

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name == f'{self._namespace}/topreward: reward':
                self.health, self.health_time = status, time.monotonic()
                if status.level == LEVEL_ERROR:
                    self.problem = status.message
            elif status.name == f'{self._namespace}/episode_reset: reset':
                self.halted = status.message if status.level == LEVEL_ERROR else ''
                self.reset_warning = status.message if status.level == LEVEL_WARN else ''

    def _seconds(self, stamp: Any) -> float:
        nanoseconds = Time.from_msg(stamp).nanoseconds
        self._first = nanoseconds if self._first is None else self._first
        return (nanoseconds - self._first) / 1e9
