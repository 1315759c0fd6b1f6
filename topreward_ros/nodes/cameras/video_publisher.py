# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A camera for everyone: plays a video file or a folder of images as image messages."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, QoSReliabilityPolicy
from rosgraph_msgs.msg import Clock as ClockMessage
from sensor_msgs.msg import CompressedImage, Image

from topreward_ros.recordings.clip import Clip
from topreward_ros.recordings.clip_source import open_clip
from topreward_ros.scoring.sampling import NANOSECONDS

from ..common.middleware import TRANSPORTS, image_topic
from ..common.parameter_table import Change, parameter
from ..common.parameters import Parameters
from ..common.qos import QOS_CAMERA_OFFERED
from .image_messages import jpeg_message, raw_message, time_message
from .process import run_camera

TOPIC_IMAGES = 'image_raw'
QOS_CLOCK = QoSProfile(depth=1, reliability=QoSReliabilityPolicy.RELIABLE)
SETTLE = 0.5  # between the discovery of a subscriber and the first image [s]
LINGER = 0.5  # so that the last image is out before the publisher is gone [s]


@dataclass(frozen=True)
class PublisherSettings:
    """The values of the parameters."""

    source: str = parameter(
        '',
        'Video file or folder of images; empty for an episode of the small world.',
        Change.NEVER,
    )
    fps: float = parameter(
        0.0,
        'Images per second of the clip; 0 for its own (a folder: 30) [1/s].',
        Change.NEVER,
        range=(0.0, 1000.0),
    )
    speed: float = parameter(
        1.0,
        'How fast the clip plays: 1 is real time, 0 as fast as possible.',
        Change.NEVER,
        range=(0.0, 1000.0),
    )
    loop: bool = parameter(False, 'Begin again at the end; the stamps go on.', Change.NEVER)
    image_transport: str = parameter(
        'raw',
        'raw (sensor_msgs/Image) or compressed (CompressedImage, JPEG).',
        Change.NEVER,
        choices=TRANSPORTS,
    )
    jpeg_quality: int = parameter(90, 'Quality of compressed images.', Change.NEVER, range=(1, 100))
    frame_id: str = parameter('camera', 'Frame of the images.', Change.NEVER)
    publish_clock: bool = parameter(
        False,
        'Publish /clock and stamp in clip time, for nodes on simulated time.',
        Change.NEVER,
    )
    wait_for_subscribers: int = parameter(
        0, 'Begin when this many subscribe to the images.', Change.NEVER, range=(0, 100)
    )


class VideoPublisher(Node):
    """Publishes a clip on `image_raw`, or `image_raw/compressed`.

    Stamps are the node's clock when an image is due; with publish_clock they are the clip's time,
    and so is /clock.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__('video_publisher', **options)
        self._settings = settings = Parameters(self, PublisherSettings).read()
        self._compressed = settings.image_transport == 'compressed'
        self.clip: Clip = open_clip(settings.source, settings.fps)
        if self.clip.note:
            self.get_logger().warning(self.clip.note)
        message = CompressedImage if self._compressed else Image
        self._publisher = self.create_publisher(
            message, image_topic(TOPIC_IMAGES, settings.image_transport), QOS_CAMERA_OFFERED
        )
        self._clock_publisher = (
            self.create_publisher(ClockMessage, '/clock', QOS_CLOCK)
            if settings.publish_clock
            else None
        )

    def play(self, executor: SingleThreadedExecutor) -> int:
        """Publish the clip, once or for ever; the number of images."""
        self._wait_for_subscribers(executor)
        speed = self._settings.speed
        self.get_logger().info(f'playing {self.clip.name}, {self.clip.seconds:.1f} s')
        began, began_ros, count = time.monotonic(), time.time_ns(), 0
        for clip_time, image in self._frames():
            wait = began + clip_time / speed - time.monotonic() if speed else 0.0
            while wait > 0:
                executor.spin_once(timeout_sec=wait)
                wait = began + clip_time / speed - time.monotonic()
            if not rclpy.ok():
                break
            stamp = time.time_ns()
            if self._clock_publisher is not None:
                stamp = began_ros + round(clip_time * NANOSECONDS)
                self._clock_publisher.publish(ClockMessage(clock=time_message(stamp)))
            self._publisher.publish(self._message(image, stamp))
            count += 1
        return count

    def _wait_for_subscribers(self, executor: SingleThreadedExecutor) -> None:
        wanted = self._settings.wait_for_subscribers
        while self._publisher.get_subscription_count() < wanted:
            executor.spin_once(timeout_sec=0.05)
        if wanted:  # known here, but perhaps not ready over there
            time.sleep(SETTLE)

    def _frames(self) -> Iterator[tuple[float, np.ndarray]]:
        offset = 0.0
        while True:
            for clip_time, image in self.clip.frames():
                yield offset + clip_time, image
            if not self._settings.loop:
                return
            offset += self.clip.seconds

    def _message(self, image: np.ndarray, stamp: int) -> Image | CompressedImage:
        frame_id = self._settings.frame_id
        if self._compressed:
            return jpeg_message(image, stamp, frame_id, self._settings.jpeg_quality)
        return raw_message(image, stamp, frame_id)


def run_node(
    args: list[str] | None,
    parameters: Mapping[str, Any] | None = None,
    *,
    interrupted: int = 0,
    **options: Any,
) -> int:
    """Play until the end or until interrupted; 1 for a clip or a parameter that is wrong."""

    def play(node: VideoPublisher, executor: SingleThreadedExecutor) -> None:
        node.play(executor)
        time.sleep(LINGER)

    return run_camera(VideoPublisher, play, args, parameters, interrupted=interrupted, **options)


def main(args: list[str] | None = None) -> int:
    """Run the node as an executable."""
    return run_node(args)


if __name__ == '__main__':
    sys.exit(main())
