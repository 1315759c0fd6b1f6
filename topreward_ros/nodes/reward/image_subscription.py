# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The reward node's subscription to a camera: it selects images and diagnoses missing ones."""

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
from .scoring_requests import Fitters
from .settings import RewardSettings
from .stamp_check import StampCheck
from .subscription_gate import ArrivalEstimate, GatedCallbackGroup

TOPIC_IMAGE = 'image'
# An image taken this soon after the gate opened had arrived before it opened [s].
READY_TIME = 0.015


@dataclass
class ImageCounts:
    """Counts since activation; images that arrive while the gate is closed are not counted."""

    taken: int = 0  # by a callback
    kept: int = 0  # for scoring
    refused: int = 0  # that cannot be read
    missed: int = 0  # points of the sampling grid without an image
    repeated: int = 0  # with the stamp of the previous image
    jumps: int = 0  # of the stamps, backward or forward
    resized: int = 0  # with another size than the first of the episode


class ImageSubscription:
    """Subscribes to `image` and passes on the frames of the sampling grid.

    fitters are those of the scorers, see `Scorer.fitter`. on_frame gets uint8 RGB (H, W, 3) as each
    makes them by the size of the episode's first frame, the sample and the header of the message;
    on_jump gets a description of the jump of the stamps and must begin a new episode; on_mixed gets
    the reason why the images are not of one camera and must end the episode.
    """

    def __init__(
        self,
        node: Node,
        settings: RewardSettings,
        fitters: Fitters,
        *,
        on_frame: Callable[[tuple[np.ndarray, ...], Sample, Any], None],
        on_jump: Callable[[str], None],
        on_mixed: Callable[[str], None],
    ) -> None:
        self._node = node
        self._settings = settings
        self._on_frame = on_frame
        self._on_jump = on_jump
        self._on_mixed = on_mixed
        self._fitters = fitters
        self._window = settings.sampling.window()
        self._estimate = ArrivalEstimate()
        self._group = GatedCallbackGroup()
        self._group.open = False
        self._running = False
        self._size: tuple[int, ...] | None = None
        self._fit: Callable[[np.ndarray], tuple[np.ndarray, ...]] | None = None  # of the episode
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
        self.stamps = StampCheck(self.topic)
        # On the node's clock, simulated or not; the period is set when the gate closes.
        self._timer = node.create_timer(1.0, self._open_gate)
        self._timer.cancel()
        self._image_time = self._advance_time = time.monotonic()
        self._newest = -1  # stamp [ns]
        self._taken_since_open = 0
        self._open_time = self._expected_open_time = self._image_time

    @property
    def topic(self) -> str:
        return str(self._subscription.topic_name)

    @property
    def frames(self) -> int:
        """The number of frames in the window of the current episode."""
        return self._window.frames

    def start_episode(self) -> None:
        """Take images from now on; earlier ones belong to the previous episode."""
        self._window.start()
        self._episode_start = self._now()
        self._read_problem = ''
        self._size = self._fit = None
        self._is_first_image = True
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
        """Return a problem with the images, or None.

        Must be called periodically: it also opens a gate that is overdue because the node's clock
        does not advance.
        """
        if not self._running:
            return None
        overdue = time.monotonic() - self._expected_open_time
        if not self._group.open and overdue > self._settings.stale_after:
            return self._open_overdue_gate(overdue)
        stale = self._stale_problem() if self._group.open else None
        return (
            stale
            or self._read_problem
            or self._clock_problem()
            or self.stamps.problem()
            or self._several_publishers()
        )

    def _several_publishers(self) -> str | None:
        count = self._node.count_publishers(self.topic)
        return None if count < 2 else f'{count} publishers are on {self.topic}; expected one camera'

    def _clock_problem(self) -> str | None:
        if self._now():
            return None
        return 'use_sim_time is set, but nothing has been published on /clock: latency is unknown'

    def _stale_problem(self) -> str | None:
        now, limit = time.monotonic(), self._settings.stale_after
        if now - self._image_time > limit:
            return f'{self._silence_reason()} for {now - self._image_time:.1f} s'
        if now - self._advance_time > limit and self.counts.repeated:
            return f'the stamps of {self.topic} do not advance: the camera does not set them'
        return None

    def _open_overdue_gate(self, seconds: float) -> str | None:
        """Open the gate; return a problem if the node's clock has not advanced since it closed."""
        has_stopped = self._now() == self._close_stamp
        self._open_gate()
        if not has_stopped:  # only slower than the steady clock, or set back
            return None
        return (
            f'/clock has not advanced for {seconds:.1f} s, and use_sim_time is set: start the '
            'simulator, or set use_sim_time to false'
        )

    def _silence_reason(self) -> str:
        """Return why no images arrive; the caller appends for how long."""
        publishers = self._node.get_publishers_info_by_topic(self.topic)
        types = sorted({publisher.topic_type for publisher in publishers})
        if not publishers:
            return f'no camera publishes on {self.topic}'
        if self._type not in types:
            return (
                f'{self.topic} has the type {", ".join(types)}, not {self._type} '
                '(see image_transport): no image'
            )
        if self._incompatible_qos:
            return f'the QoS of the camera on {self.topic} is incompatible: no image'
        if self.counts.taken:
            return f'the camera on {self.topic} has stopped: no image'
        return (
            f'{self.topic} has a publisher, but its images do not arrive; large images need more '
            'shared memory than the default of Fast DDS: start the camera with '
            'FASTDDS_DEFAULT_PROFILES_FILE set to config/fastdds_images.xml of this package. '
            'No image'
        )

    def _on_image(self, message: Any) -> None:
        self._image_time = time.monotonic()
        self.counts.taken += 1
        self._taken_since_open += 1
        stamp = message.header.stamp.sec * NANOSECONDS + message.header.stamp.nanosec
        if stamp != self._newest:
            self._advance_time = self._image_time
        self.counts.repeated += stamp == self._newest
        self._newest = stamp
        if stamp < 0:
            self._refuse(f'the image is stamped {stamp} ns; expected 0 or more')
        elif self._running and not self._precedes_episode(stamp):
            if mixed := self.stamps.note(stamp, message.header.frame_id, self._now()):
                self._on_mixed(mixed)
            else:
                self._judge(message, stamp)

    def _judge(self, message: Any, stamp: int) -> None:
        verdict = self._window.judge(stamp)
        if verdict in (Verdict.JUMPED_BACK, Verdict.JUMPED_AHEAD):
            self.counts.jumps += 1
            self._on_jump(verdict.value)
            self._estimate = ArrivalEstimate()
        elif verdict is Verdict.SKIP:
            self._window.skip(stamp)
            self._close_gate()
            return
        if self._running:
            self._keep(message, stamp)

    def _precedes_episode(self, stamp: int) -> bool:
        """Return whether this image had arrived in the middleware before the episode began.

        The middleware keeps one image, so this can only be the first of an episode. Its arrival is
        estimated from its stamp.
        """
        is_first, self._is_first_image = self._is_first_image, False
        now = self._now()
        if not now:  # simulated time has not started: the delay of the image is unknown
            return False
        arrival = self._estimate.arrival(stamp)
        was_ready = self._taken_since_open == 1 and self._image_time - self._open_time < READY_TIME
        self._estimate.update(stamp, now, was_ready=was_ready)
        return is_first and arrival is not None and arrival < self._episode_start <= now

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
        if self._fit is None:
            self._fit = self._fitters(*image.shape[:2])
        sample = self._window.take(stamp)
        self.counts.kept += 1
        self.counts.missed += sample.missed
        self.stamps.note_kept(sample.missed)
        self._on_frame(self._fit(image), sample, message.header)
        self._close_gate()

    def _refuse(self, reason: str) -> None:
        self.counts.refused += 1
        self._read_problem = reason
        self._node.get_logger().warning(f'image dropped: {reason}', throttle_duration_sec=5.0)
        # The next image may have the same problem: read only four per sampling interval.
        self._close_gate_for(round(self._window.interval * NANOSECONDS / 4))

    def _close_gate(self) -> None:
        """Close the gate until the next sampled image is expected, unless that is soon."""
        next_stamp = self._window.next_stamp
        wait = 0 if next_stamp is None else self._estimate.wait(next_stamp, self._now())
        # Invalid stamps must not keep the gate closed for long.
        self._close_gate_for(min(wait, round(self._window.interval * NANOSECONDS)))

    def _close_gate_for(self, wait: int) -> None:
        if wait and self._running:
            self._group.open = False
            self._close_stamp = self._now()
            # If both clocks run at the same rate
            self._expected_open_time = time.monotonic() + wait / NANOSECONDS
            self._timer.timer_period_ns = wait
            self._timer.reset()

    def _open_gate(self) -> None:
        self._timer.cancel()
        if self._running and not self._group.open:
            self._group.open = True
            self._image_time = self._open_time = time.monotonic()
            self._taken_since_open = 0

    def _note_incompatible_qos(self) -> None:
        self._incompatible_qos = True

    def _now(self) -> int:
        return int(self._node.get_clock().now().nanoseconds)


def _size(shape: tuple[int, ...] | None) -> str:
    return 'nothing' if shape is None else f'{shape[1]}x{shape[0]}'
