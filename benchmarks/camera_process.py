# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The processes that camera_path and end_to_end measure; the first argument names which.

camera     topreward_ros's video_publisher, which also prints the time and its count of images
empty      an rclpy node with nothing but an empty callback on the images
node       the reward node, its model replaced by one that answers at once
open_gate  the same with the gate before its camera held open
real_node  the reward node as it is
"""

from __future__ import annotations

import contextlib
import sys
import time
from typing import Any

import numpy as np
import rclpy
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from sensor_msgs.msg import Image

from topreward_ros.nodes.camera_gate import GatedCallbackGroup
from topreward_ros.nodes.middleware import apply_image_profile
from topreward_ros.nodes.qos import CAMERA
from topreward_ros.scoring.score import Score, Scorer

REPORT_EVERY = 10  # images


class InstantScorer:
    """Knows the score without looking."""

    path = 'no model'

    def start(self, tasks: Any) -> InstantEpisode:
        return InstantEpisode()

    def warm_up(self, height: int, width: int, max_frames: int = 4) -> None:
        pass


class InstantEpisode:
    """Counts its frames."""

    frames = 0

    def append(self, frame: np.ndarray, time: float) -> None:
        self.frames += 1

    def score(self) -> Score:
        return Score(-10.0, -0.1, self.frames)

    def scores(self) -> tuple[Score, ...]:
        return (self.score(),)

    def thin(self) -> None:
        self.frames //= 2

    def close(self) -> None:
        pass


def camera() -> int:
    from topreward_ros.nodes import video_publisher

    message = video_publisher.VideoPublisher._message
    count = 0

    def counted_message(self: Any, image: np.ndarray, stamp: int) -> Any:
        nonlocal count
        count += 1
        if count % REPORT_EVERY == 0:
            print(time.monotonic(), count, flush=True)
        return message(self, image, stamp)

    video_publisher.VideoPublisher._message = counted_message  # type: ignore[method-assign]
    return video_publisher.main()


def empty() -> int:
    apply_image_profile()
    rclpy.init()
    node = rclpy.create_node('empty')
    node.create_subscription(Image, 'image', _ignore, CAMERA)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    print('ready', flush=True)
    with contextlib.suppress(KeyboardInterrupt, ExternalShutdownException):
        executor.spin()
    return 0


def _ignore(_message: Image) -> None:
    pass


def node() -> int:
    from topreward_ros.nodes import reward_node

    reward_node._make_scorer = _make_scorer
    return reward_node.main()


def real_node() -> int:
    from topreward_ros.nodes import reward_node

    return reward_node.main()


def _make_scorer(settings: Any) -> tuple[Scorer, Any]:
    from topreward_ros.nodes.reward_node import LoadedModel
    from topreward_ros.scoring.identity import Identity

    return InstantScorer(), LoadedModel('no model', Identity('', '', '', ''))


def open_gate() -> int:
    GatedCallbackGroup.can_execute = (  # type: ignore[method-assign]
        MutuallyExclusiveCallbackGroup.can_execute
    )
    return node()


PROCESSES = {
    'camera': camera,
    'empty': empty,
    'node': node,
    'open_gate': open_gate,
    'real_node': real_node,
}

if __name__ == '__main__':
    sys.exit(PROCESSES[sys.argv.pop(1)]())
