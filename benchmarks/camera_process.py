# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The processes that camera_path and end_to_end measure, named by the first argument.

camera     topreward_ros's video_publisher, which also prints times and image counts
empty      an rclpy node with nothing but an empty callback on the images
node       the reward node, with a model that returns immediately
open_gate  the same with the gate before its camera held open
real_node  the reward node as it is
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import rclpy
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from sensor_msgs.msg import Image

from topreward_ros.nodes.common.middleware import apply_image_profile
from topreward_ros.nodes.common.qos import QOS_CAMERA
from topreward_ros.nodes.reward.subscription_gate import GatedCallbackGroup
from topreward_ros.scoring.score import Episode, Identity, Score, Scorer

REPORT_EVERY = 10  # images


class InstantScorer(Scorer):
    """A scorer that returns a fixed score immediately."""

    identity = Identity('no model', '', '', '')

    def start(self, tasks: str | Sequence[str]) -> InstantEpisode:
        return InstantEpisode()

    def warm_up(self, height: int, width: int, max_frames: int = 4) -> None:
        pass


class InstantEpisode(Episode):
    """An episode that only counts its frames."""

    frames = 0

    def append(self, frame: np.ndarray, time: float) -> None:
        self.frames += 1

    def scores(self) -> tuple[Score, ...]:
        return (Score(self.frames, -10.0, -0.1),)

    def thin(self) -> None:
        self.frames //= 2

    def keep_last(self, count: int) -> None:
        self.frames = min(self.frames, count)


def camera() -> int:
    from topreward_ros.nodes.cameras import video_publisher

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
    node.create_subscription(Image, 'image', _ignore, QOS_CAMERA)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    print('ready', flush=True)
    with contextlib.suppress(KeyboardInterrupt, ExternalShutdownException):
        executor.spin()
    return 0


def _ignore(_message: Image) -> None:
    pass


def node() -> int:
    from topreward_ros.nodes.reward import node as reward_node

    reward_node.load_fitting_scorer = lambda *_: InstantScorer()  # type: ignore[attr-defined]
    return reward_node.main()


def real_node() -> int:
    from topreward_ros.nodes.reward import node as reward_node

    return reward_node.main()


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
