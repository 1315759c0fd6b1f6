# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The messages of the reward node that belong to one episode."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any

from rclpy.node import Node

from topreward_ros.msg import Progress, SuccessDetected

from ..common.qos import QOS_RESULT
from ..common.rclpy_versions import is_from_node, with_message_info

LATE_MESSAGE_TIME = 2.0  # for which messages of an earlier episode may still arrive [s]

Key = tuple[int, int, int]  # what a progress and the success after it have in common


class EpisodeMessages:
    """Hands on what the reward node publishes about the episode that is followed, and nothing else.

    The episode is known by the number that `EpisodeStart` was answered. A success counts with the
    progress that it was judged from, whichever of the two arrives first; neither counts if it is
    from another publisher than the reward node.
    """

    def __init__(
        self,
        node: Node,
        reward_node: str,
        on_progress: Callable[[Progress], None],
        on_success: Callable[[SuccessDetected], None] = lambda _: None,
    ) -> None:
        self._node = node
        self._on_progress = on_progress
        self._on_success = on_success
        self.follow(None)
        name = reward_node.rstrip('/')
        # The name of a node is the name of a topic without its last part.
        self._reward_node = node.resolve_topic_name(f'{name}/progress').rpartition('/')[0]
        self._subscriptions = [
            node.create_subscription(
                message_type, f'{name}/{topic}', with_message_info(callback), QOS_RESULT
            )
            for message_type, topic, callback in (
                (Progress, 'progress', self._take_progress),
                (SuccessDetected, 'success_detected', self._take_success),
            )
        ]

    def follow(self, episode: int | None, task: str = '') -> None:
        """Follow an episode, of this task unless it is empty; None follows none."""
        self._episode = episode
        self._task = task.strip()
        self._keys: deque[Key] = deque(maxlen=QOS_RESULT.depth)
        self._success: SuccessDetected | None = None  # whose progress has not arrived yet
        self._other: int | None = None  # another episode, of which there was progress instead
        self._followed_since = time.monotonic()

    def replaced_by(self) -> int | None:
        """Return the number of an episode that has taken the place of the one that is followed.

        The reward node begins one by itself when the stamps of the images jump, when it is started
        anew, and when somebody else asks for one.
        """
        return self._other

    def close(self) -> None:
        self.follow(None)
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)

    def _take_progress(self, message: Progress, info: Any) -> None:
        if self._episode is None or not self._is_from_reward_node(0, info):
            return
        if message.episode != self._episode:
            if time.monotonic() - self._followed_since > LATE_MESSAGE_TIME:
                self._other = message.episode
        elif self._is_of_task(message):
            self._other = None
            self._keys.append(_key(message))
            self._on_progress(message)
            if self._success is not None and _key(self._success) in self._keys:
                self._succeed(self._success)

    def _take_success(self, message: SuccessDetected, info: Any) -> None:
        if message.episode != self._episode or not self._is_of_task(message):
            return
        if not self._is_from_reward_node(1, info):
            return
        if _key(message) in self._keys:
            self._succeed(message)
        else:
            self._success = message

    def _succeed(self, message: SuccessDetected) -> None:
        self._success = None
        self._on_success(message)

    def _is_of_task(self, message: Progress | SuccessDetected) -> bool:
        return not self._task or message.task.strip() == self._task

    def _is_from_reward_node(self, index: int, info: Any) -> bool:
        topic = self._subscriptions[index].topic_name
        if is_from_node(self._node, self._reward_node, topic, info):
            return True
        self._node.get_logger().warning(
            f'a message on {topic} is not of {self._reward_node}, or may not be: it is ignored. '
            'Only one node may publish there',
            throttle_duration_sec=10.0,
        )
        return False


def _key(message: Progress | SuccessDetected) -> Key:
    stamp = message.header.stamp
    return stamp.sec, stamp.nanosec, message.frames
