# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A camera for everyone: plays a video file or a folder of images as image messages."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, QoSReliabilityPolicy
from rosgraph_msgs.msg import Clock as ClockMessage
from sensor_msgs.msg import CompressedImage, Image

from ..offline.clip import Clip, open_clip
from ..scoring.window import NANOSECONDS
from .camera_main import run_camera
from .descriptors import describe
from .image_messages import jpeg_message, raw_message, time_message
from .middleware import image_topic
from .qos import OFFERED_CAMERA

TOPIC = 'image_raw'
CLOCK = QoSProfile(depth=1, reliability=QoSReliabilityPolicy.RELIABLE)
SETTLE = 0.5  # between the discovery of a subscriber and the first image [s]
LINGER = 0.5  # so that the last image is out before the publisher is gone [s]

PARAMETERS: tuple[tuple[str, object, str], ...] = (
    ('source', '', 'Video file or folder of images; empty for an episode of the small world.'),
    ('fps', 0.0, 'Images per second of the clip; 0 for its own (a folder: 30) [1/s].'),
    ('speed', 1.0, 'How fast the clip plays: 1 is real time, 0 as fast as possible.'),
    ('loop', False, 'Begin again at the end; the stamps go on.'),
    ('image_transport', 'raw', 'raw (sensor_msgs/Image) or compressed (CompressedImage, JPEG).'),
    ('jpeg_quality', 90, 'Quality of compressed images.'),
    ('frame_id', 'camera', 'Frame of the images.'),
    ('publish_clock', False, 'Publish /clock and stamp in clip time, for nodes on simulated time.'),
    ('wait_for_subscribers', 0, 'Begin when this many subscribe to the images.'),
)
RANGES: dict[str, tuple[float, float]] = {
    'fps': (0.0, 1000.0),
    'speed': (0.0, 1000.0),
    'jpeg_quality': (1, 100),
    'wait_for_subscribers': (0, 100),
}


class VideoPublisher(Node):
    """Publishes a clip on `image_raw`, or `image_raw/compressed`.

    Stamps are the node's clock when an image is due; with publish_clock they are the clip's time,
    and so is /clock.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__('video_publisher', **options)
        for name, default, text in PARAMETERS:
            descriptor = describe(default, text, read_only=True, range=RANGES.get(name))
            self.declare_parameter(name, default, descriptor)
        transport = self._value('image_transport')
        if transport not in ('raw', 'compressed'):
            raise ValueError(f'image_transport is {transport!r}; expected raw or compressed')
        self._compressed = transport == 'compressed'
        self.clip: Clip = open_clip(self._value('source'), self._value('fps'))
        if self.clip.remark:
            self.get_logger().warning(self.clip.remark)
        message = CompressedImage if self._compressed else Image
        self._publisher = self.create_publisher(
            message, image_topic(TOPIC, transport), OFFERED_CAMERA
        )
        self._clock_publisher = (
            self.create_publisher(ClockMessage, '/clock', CLOCK)
            if self._value('publish_clock')
            else None
        )

    def play(self, executor: SingleThreadedExecutor) -> int:
        """Publish the clip, once or for ever; the number of images."""
        self._wait_for_subscribers(executor)
        speed = self._value('speed')
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
        wanted = self._value('wait_for_subscribers')
        while self._publisher.get_subscription_count() < wanted:
            executor.spin_once(timeout_sec=0.05)
        if wanted:  # known here, but perhaps not ready over there
            time.sleep(SETTLE)

    def _frames(self) -> Iterator[tuple[float, np.ndarray]]:
        offset = 0.0
        while True:
            for clip_time, image in self.clip.frames():
                yield offset + clip_time, image
            if not self._value('loop'):
                return
            offset += self.clip.seconds

    def _message(self, image: np.ndarray, stamp: int) -> Image | CompressedImage:
        frame_id = self._value('frame_id')
        if self._compressed:
            return jpeg_message(image, stamp, frame_id, self._value('jpeg_quality'))
        return raw_message(image, stamp, frame_id)

    def _value(self, name: str) -> Any:
        return self.get_parameter(name).value


def main(args: list[str] | None = None, **options: Any) -> int:
    """Play until the end or until interrupted; 1 for a clip or a parameter that is wrong."""

    def play(node: VideoPublisher, executor: SingleThreadedExecutor) -> None:
        node.play(executor)
        time.sleep(LINGER)

    return run_camera(VideoPublisher, play, args, **options)


if __name__ == '__main__':
    sys.exit(main())
