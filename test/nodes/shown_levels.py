# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures of given brightness, which is the progress of the tests' scorer, shown to a node."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from sensor_msgs.msg import Image

from topreward_ros.msg import Progress

from .toy_stage import FPS, Stage

FRAME = 'wrist_camera'


def image(level: float, stamp: float, width: int = 64, height: int = 48) -> Image:
    """Return a grey picture with this brightness, 0 to 1, and stamp [s]."""
    message = Image(height=height, width=width, encoding='rgb8', step=3 * width)
    message.data = bytes([round(255 * level)]) * (height * width * 3)
    message.header.frame_id = FRAME
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(round(stamp * 1e9), 10**9)
    return message


def show_levels(stage: Stage, levels: Sequence[float], first: float = 0.0) -> list[Progress]:
    """Show pictures, FPS a second from the stamp `first` [s]; return the messages of all scores."""
    progress = stage.listener.progress
    count = len(progress)
    for k, level in enumerate(levels):
        publish = partial(stage.listener.images.publish, image(level, first + k / FPS))
        stage.until(lambda k=k: len(progress) > count + k, publish)
    return progress
