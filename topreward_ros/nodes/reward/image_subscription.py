# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The camera of the reward node: which images are wanted, and what is wrong when none come."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image

from topreward_ros.errors import FrameError
from topreward_ros.scoring.frames import check_frame
from topreward_ros.scoring.image_decoding import decode_compressed_image, decode_image
from topreward_ros.scoring.sampling import NANOSECONDS, Sample, Verdict

from ..common.qos import QOS_CAMERA
from ..common.rclpy_versions import on_incompatible_qos
from .settings import RewardSettings
from .subscription_gate import ArrivalEstimate, GatedCallbackGroup

TOPIC_IMAGE = 'image'
# An image taken this soon after the gate opened was there before [s].
READY_WITHIN = 0.015


@dataclass
class ImageCounts:
    """Since activation. Images the gate kept out were never taken, so they are not counted."""

    taken: int = 0  # by a callback
    kept: int = 0  # handed on to be scored
    refused: int = 0  # could not be read
    missed: int = 0  # points of the sampling grid without an image
    repeated: int = 0  # stamped as the one before
    jumps: int = 0  # of the stamps, back or ahead
    resized: int = 0  # of another size than the episode's first


class ImageSubscription:
    """Subscribes to `image` and hands on the frames of the sampling grid.

    on_frame gets uint8 RGB (H, W, 3), the sample and the message's header; on_jump gets what the
    stamps did, and has to begin a new episode.
    """

    def __init__(
        self,
        node: Node,
        settings: RewardSettings,
        on_frame: Callable[[np.ndarray, Sample, Any], None],
        on_jump: Callable[[str], None],
    ) -> None:
        self._node = node
        self._settings = settings
        self._on_frame = on_frame
        self._on_jump = on_jump
        self._window = settings.sampling.window()
        self._estimate = ArrivalEstimate()
        self._group = GatedCallbackGroup()
        self._group.open = False
        self._running = False
        self._size: tuple[int, ...] | None = None
        self._incompatible_qos = False
        self._read_problem = ''
        self.counts = ImageCounts()
        compressed = settings.image_transport == 'compressed'
        self._decode = decode_compressed_image if compressed else decode_image
        self._type = 'sensor_msgs/msg/' + ('CompressedImage' if compressed else 'Image')
        self._subscription = node.create_subscription(
            CompressedImage if compressed else Image,
            TOPIC_IMAGE,
            self._on_image,
            QOS_CAMERA,
            callback_group=self._group,
            event_callbacks=on_incompatible_qos(self._note_incompatible_qos),
        )
        # On the node's clock, simulated or not; the period is set anew each time.
        self._timer = node.create_timer(1.0, self._open_gate)
        self._timer.cancel()
        self._heard = self._advanced = time.monotonic()
        self._newest = -1  # stamp [ns]
        self._taken_since_open = 0
        self._opened = self._opens_at = self._heard

    @property
    def topic(self) -> str:
        return str(self._subscription.topic_name)

    @property
    def frames(self) -> int:
        """Frames of the present episode that the window counts."""
        return self._window.frames

    def start_episode(self) -> None:
        """Take images from now on; one that was taken before now shows what is over."""
        self._window.start()
        self._began = self._now()
        self._read_problem = ''
        self._size = None
        self._first = True
        self._running = True
        self._open_gate()

    def stop_episode(self) -> None:
        """Take no more images."""
        self._running = False
        self._group.open = False
        self._timer.cancel()

    def close(self) -> None:
        self.stop_episode()
        self._node.destroy_timer(self._timer)
        self._node.destroy_subscription(self._subscription)

    def problem(self) -> str | None:
        """Why the images are not as they should be; None when all is well.

        To be called now and then: it also opens a gate that the node's clock has forgotten.
        """
        if not self._running:
            return None
        overdue = time.monotonic() - self._opens_at
        if not self._group.open and overdue > self._settings.stale_after:
            return self._overdue(overdue)
        staleness = self._staleness() if self._group.open else None
        return staleness or self._read_problem or self._timelessness()

    def _timelessness(self) -> str | None:
        if self._now():
            return None
        return 'use_sim_time is set, and nothing is published on /clock yet: latency is not known'

    def _staleness(self) -> str | None:
        now, patience = time.monotonic(), self._settings.stale_after
        if now - self._heard > patience:
            return f'{self._silence()} for {now - self._heard:.1f} s'
        if now - self._advanced > patience and self.counts.repeated:
            return f'the stamps of {self.topic} stand still: the camera does not set them'
        return None

    def _overdue(self, seconds: float) -> str | None:
        stands_still = self._now() == self._shut_at
        self._open_gate()
        if not stands_still:  # only slower than the wall's, or stepped back
            return None
        return (
            f'the clock of the node has stood still for {seconds:.1f} s: use_sim_time is set, and '
            'nothing is published on /clock'
        )

    def _silence(self) -> str:
        publishers = self._node.get_publishers_info_by_topic(self.topic)
        types = sorted({publisher.topic_type for publisher in publishers})
        if not publishers:
            return f'no camera publishes on {self.topic}'
        if self._type not in types:
            return (
                f'{self.topic} is a topic of {", ".join(types)}, not {self._type} '
                '(see image_transport): no image'
            )
        if self._incompatible_qos:
            return f'the QoS of the camera on {self.topic} does not fit a subscription: no image'
        if self.counts.taken:
            return f'the camera on {self.topic} has stopped: no image'
        return (
            f'{self.topic} has a publisher, but its images do not arrive; large ones need more '
            'shared memory than Fast DDS takes by default: start the camera with '
            "FASTDDS_DEFAULT_PROFILES_FILE set to this package's config/fastdds_images.xml. Nothing"
        )

    def _on_image(self, message: Any) -> None:
        self._heard = time.monotonic()
        self.counts.taken += 1
        self._taken_since_open += 1
        stamp = message.header.stamp.sec * NANOSECONDS + message.header.stamp.nanosec
        if stamp != self._newest:
            self._advanced = self._heard
        self.counts.repeated += stamp == self._newest
        self._newest = stamp
        if stamp < 0:
            self._refuse(f'the image is stamped {stamp} ns')
        elif self._running and not self._is_from_before(stamp):
            self._judge(message, stamp)

    def _judge(self, message: Any, stamp: int) -> None:
        verdict = self._window.judge(stamp)
        if verdict in (Verdict.JUMPED_BACK, Verdict.JUMPED_AHEAD):
            self.counts.jumps += 1
            self._on_jump(verdict.value)
            self._estimate = ArrivalEstimate()
        elif verdict is Verdict.SKIP:
            self._window.see(stamp)
            self._shut_gate()
            return
        if self._running:
            self._keep(message, stamp)

    def _is_from_before(self, stamp: int) -> bool:
        """Whether the middleware has kept this image since before the episode began.

        It keeps one, so only the first of an episode can be; by its stamp, as far as can be told.
        """
        first, self._first = self._first, False
        now = self._now()
        if not now:  # simulated time has not begun: how long the image took is not known
            return False
        arrival = self._estimate.arrival(stamp)
        ready = self._taken_since_open == 1 and self._heard - self._opened < READY_WITHIN
        self._estimate.see(stamp, now, lay_ready=ready)
        return first and arrival is not None and arrival < self._began <= now

    def _keep(self, message: Any, stamp: int) -> None:
        try:
            image = check_frame(self._decode(message))
        except FrameError as error:
            self._refuse(str(error))
            return
        self._read_problem = ''
        if self._size not in (None, image.shape):
            self.counts.resized += 1
            self._node.get_logger().warning(
                f'the image size changed from {_size(self._size)} to {_size(image.shape)} within '
                'an episode; frames are fitted to the first',
                throttle_duration_sec=5.0,
            )
        self._size = self._size or image.shape
        sample = self._window.take(stamp)
        self.counts.kept += 1
        self.counts.missed += sample.missed
        self._on_frame(image, sample, message.header)
        self._shut_gate()

    def _refuse(self, why: str) -> None:
        self.counts.refused += 1
        self._read_problem = why
        self._node.get_logger().warning(f'image dropped: {why}', throttle_duration_sec=5.0)
        # The next one may be no better: look at a few, not at all of them.
        self._shut_gate_for(round(self._window.interval * NANOSECONDS / 4))

    def _shut_gate(self) -> None:
        """Until the next wanted image is expected; not at all if that is soon."""
        next_stamp = self._window.next_stamp
        wait = 0 if next_stamp is None else self._estimate.wait(next_stamp, self._now())
        # Stamps that make no sense must not shut the camera out for long.
        self._shut_gate_for(min(wait, round(self._window.interval * NANOSECONDS)))

    def _shut_gate_for(self, wait: int) -> None:
        if wait and self._running:
            self._group.open = False
            self._shut_at = self._now()
            self._opens_at = time.monotonic() + wait / NANOSECONDS  # if the two clocks agree
            self._timer.timer_period_ns = wait
            self._timer.reset()

    def _open_gate(self) -> None:
        self._timer.cancel()
        if self._running and not self._group.open:
            self._group.open = True
            self._heard = self._opened = time.monotonic()
            self._taken_since_open = 0

    def _note_incompatible_qos(self) -> None:
        self._incompatible_qos = True

    def _now(self) -> int:
        return int(self._node.get_clock().now().nanoseconds)


def _size(shape: tuple[int, ...] | None) -> str:
    return 'nothing' if shape is None else f'{shape[1]}x{shape[0]}'
