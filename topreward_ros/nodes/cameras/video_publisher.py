# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A camera that plays a video file or a folder of images as image messages."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, QoSReliabilityPolicy
from rosgraph_msgs.msg import Clock as ClockMessage
from sensor_msgs.msg import CompressedImage, Image

from topreward_ros import interrupts
from topreward_ros.recordings.clip import Clip
from topreward_ros.recordings.clip_source import open_clip
from topreward_ros.scoring.sampling import NANOSECONDS

from ..common.middleware import TRANSPORTS, image_topic
from ..common.parameter_table import Change, parameter
from ..common.parameters import Parameters
from ..common.process import is_ending
from ..common.qos import QOS_CAMERA_OFFERED
from ..common.usage import read_arguments
from .image_messages import jpeg_message, raw_message, time_message
from .process import run_camera

TOPIC_IMAGES = 'image_raw'
QOS_CLOCK = QoSProfile(depth=1, reliability=QoSReliabilityPolicy.RELIABLE)
PERIOD = 0.005  # between two looks at the time [s]
DISCOVERY_TIME = 0.5  # between the discovery of a subscriber and the first image [s]
FLUSH_TIME = 0.5  # for the last image to be sent before the publisher is destroyed [s]


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
        'Frame rate of the clip; 0 for its own, which is 30 for a folder [1/s].',
        Change.NEVER,
        range=(0.0, 1000.0),
    )
    speed: float = parameter(
        1.0,
        'Playback speed: 1 is real time, 0 as fast as possible.',
        Change.NEVER,
        range=(0.0, 1000.0),
    )
    loop: bool = parameter(False, 'Repeat the clip; the stamps continue to increase.', Change.NEVER)
    image_transport: str = parameter(
        'raw',
        'Type of the images: raw (sensor_msgs/Image) or compressed (CompressedImage, JPEG).',
        Change.NEVER,
        choices=TRANSPORTS,
    )
    jpeg_quality: int = parameter(
        90, 'JPEG quality of compressed images.', Change.NEVER, range=(1, 100)
    )
    frame_id: str = parameter('camera', 'frame_id of the images.', Change.NEVER)
    publish_clock: bool = parameter(
        False,
        'Publish /clock and stamp images in clip time, for nodes that use simulated time.',
        Change.NEVER,
    )
    wait_for_subscribers: int = parameter(
        0,
        'Number of subscriptions to the images to wait for before the start.',
        Change.NEVER,
        range=(0, 100),
    )


class VideoPublisher(Node):
    """Publishes a clip on `image_raw`, or `image_raw/compressed`.

    Stamps are the system time of publication; with publish_clock, stamps and /clock are clip time.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__('video_publisher', **options)
        self._settings = settings = Parameters(self, PublisherSettings).read()
        self._compressed = settings.image_transport == 'compressed'
        self.clip: Clip = open_clip(settings.source, settings.fps)
        self._notes_told = 0
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
        """Publish the clip, once or in a loop; return the number of images."""
        self._tell_notes()
        self._wait_for_subscribers(executor)
        speed = self._settings.speed
        self.get_logger().info(f'playing {self.clip.name}, {self.clip.seconds:.1f} s')
        began, began_ros, count = time.monotonic(), time.time_ns(), 0
        for clip_time, image in self._frames():
            if speed:
                _spin_until(executor, began + clip_time / speed)
            if is_ending():
                break
            stamp = time.time_ns()
            if self._clock_publisher is not None:
                stamp = began_ros + round(clip_time * NANOSECONDS)
                self.tick(stamp)
            self.show(image, stamp)
            count += 1
        return count

    def tick(self, stamp: int) -> None:
        """Publish a time on /clock [ns]; publish_clock has to be set."""
        assert self._clock_publisher is not None
        self._clock_publisher.publish(ClockMessage(clock=time_message(stamp)))

    def show(self, image: np.ndarray, stamp: int) -> None:
        """Publish an image, uint8 RGB (H, W, 3), with this stamp [ns]."""
        self._publisher.publish(self._message(image, stamp))

    @property
    def is_awaited(self) -> bool:
        """Whether there are as many subscriptions to the images as the start waits for."""
        return self._publisher.get_subscription_count() >= self._settings.wait_for_subscribers

    def _wait_for_subscribers(self, executor: SingleThreadedExecutor) -> None:
        while not self.is_awaited and not is_ending():
            executor.spin_once(timeout_sec=PERIOD)
        # Discovered here, but the other side may not be ready yet
        if self._settings.wait_for_subscribers and not is_ending():
            time.sleep(DISCOVERY_TIME)

    def _frames(self) -> Iterator[tuple[float, np.ndarray]]:
        offset = 0.0
        while True:
            for clip_time, image in self.clip.frames():
                yield offset + clip_time, image
            self._tell_notes()  # of reading it
            if not self._settings.loop:
                return
            offset += self.clip.seconds

    def _tell_notes(self) -> None:
        for note in self.clip.notes[self._notes_told :]:
            self.get_logger().warning(note)
        self._notes_told = len(self.clip.notes)

    def _message(self, image: np.ndarray, stamp: int) -> Image | CompressedImage:
        frame_id = self._settings.frame_id
        if self._compressed:
            return jpeg_message(image, stamp, frame_id, self._settings.jpeg_quality)
        return raw_message(image, stamp, frame_id)


def _spin_until(executor: SingleThreadedExecutor, end: float) -> None:
    """Spin until a time of the steady clock [s], not longer, or until the process ends.

    Always with the same timeout; see `spin_for`.
    """
    while (wait := end - time.monotonic()) > PERIOD and not is_ending():
        executor.spin_once(timeout_sec=PERIOD)
    if not is_ending():
        time.sleep(max(0.0, wait))


def run_node(
    args: list[str] | None,
    parameters: Mapping[str, Any] | None = None,
    **options: Any,
) -> int:
    """Play until the end or an interrupt; return 1 for an invalid clip or parameter."""

    def play(node: VideoPublisher, executor: SingleThreadedExecutor) -> None:
        node.play(executor)
        if not is_ending():
            time.sleep(FLUSH_TIME)

    return run_camera(VideoPublisher, play, args, parameters, **options)


def main(args: list[str] | None = None) -> int:
    """Run the node as an executable."""
    read_arguments(args, __doc__, PublisherSettings)
    return run_node(args)


if __name__ == '__main__':
    interrupts.leave(main())
