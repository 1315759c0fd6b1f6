# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The camera's picture with what was scored drawn below, made only while someone subscribes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
from sensor_msgs.msg import Image

from topreward_ros.errors import reason_of
from topreward_ros.reward.live import Step
from topreward_ros.reward.success import Scene

from ..cameras.image_messages import raw_message
from ..common.qos import QOS_CAMERA_OFFERED

TOPIC = '~/debug_image'
UNUSED: Any = None  # the state argument of lifecycle publishers, which they ignore
NOTHING = np.zeros((0, 0, 3), np.uint8)
SUCCESS = 'success'
SCENES = {
    Scene.UNKNOWN: '',
    Scene.UNFINISHED: 'unfinished',
    Scene.FINISHED: 'looks finished',
    Scene.FINISHED_AT_START: 'finished from the start: was it reset?',
}


class DebugImage:
    """Exists from activation to deactivation and runs on the executor's thread.

    While someone subscribes it keeps the pictures that wait for their score, `most` of them.
    """

    def __init__(self, node: Any, most: int) -> None:
        self._node = node
        self._publisher = node.create_lifecycle_publisher(Image, TOPIC, QOS_CAMERA_OFFERED)
        self._publisher.on_activate(UNUSED)
        self._pending: deque[tuple[Any, np.ndarray]] = deque(maxlen=most)

    def close(self) -> None:
        """Drop the pictures and the topic."""
        self._pending.clear()
        self._publisher.on_deactivate(UNUSED)
        self._node.destroy_lifecycle_publisher(self._publisher)

    def fitter(self, _height: int, _width: int) -> Callable[[np.ndarray], np.ndarray]:
        """Return what passes a camera's picture on as it is while someone subscribes."""
        return lambda image: image if self._publisher.get_subscription_count() else NOTHING

    def keep(self, image: np.ndarray, header: Any) -> None:
        """Keep a picture that is about to be scored."""
        if image.size:
            self._pending.append((header, image))
        else:
            self._pending.clear()

    def show(self, header: Any, task: str, step: Step, where: str, succeeded: bool) -> None:
        """Publish the picture of this header, if it was kept; where names its episode."""
        image = self._take(header)
        if image is None:
            return
        # Imported here: whoever never looks does not wait for it
        from topreward_ros.results.debug_picture import Judgement, debug_picture

        note = ', '.join(filter(None, (SUCCESS if succeeded else SCENES[step.scene], where)))
        try:
            picture = debug_picture(image, Judgement(task, step.progress, note, succeeded))
        except Exception as error:  # such as of a font: scoring goes on without the picture
            self._node.get_logger().warning(
                f'a picture for {TOPIC} could not be drawn: {reason_of(error)}',
                throttle_duration_sec=5.0,
            )
            return
        message = raw_message(picture, 0, header.frame_id)
        message.header.stamp = header.stamp
        self._publisher.publish(message)

    def _take(self, header: Any) -> np.ndarray | None:
        """Return the picture of this header and drop the ones before it."""
        while self._pending:
            kept, image = self._pending.popleft()
            if kept is header:
                return image
        return None
