# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Image messages from uint8 RGB arrays (H, W, 3) and stamps in nanoseconds."""

from __future__ import annotations

import io

import numpy as np
from builtin_interfaces.msg import Time as TimeMessage
from PIL import Image as PillowImage
from sensor_msgs.msg import CompressedImage, Image

from topreward_ros.scoring.sampling import NANOSECONDS


def raw_message(image: np.ndarray, stamp: int, frame_id: str) -> Image:
    """Return an rgb8 image."""
    height, width = image.shape[:2]
    message = Image(height=height, width=width, encoding='rgb8', step=3 * width)
    message.data.frombytes(np.ascontiguousarray(image).data)  # much faster than assigning a list
    message.header.frame_id = frame_id
    message.header.stamp = time_message(stamp)
    return message


def jpeg_message(
    image: np.ndarray, stamp: int, frame_id: str, quality: int = 90
) -> CompressedImage:
    """Return a JPEG image; quality is from 1 to 100."""
    message = CompressedImage(format='rgb8; jpeg compressed bgr8')
    jpeg = io.BytesIO()
    PillowImage.fromarray(image).save(jpeg, 'JPEG', quality=quality)
    message.data.frombytes(jpeg.getvalue())
    message.header.frame_id = frame_id
    message.header.stamp = time_message(stamp)
    return message


def nanoseconds_of(stamp: TimeMessage) -> int:
    """Return a message's time [ns]; the inverse of `time_message`."""
    return int(stamp.sec * NANOSECONDS + stamp.nanosec)


def time_message(nanoseconds: int) -> TimeMessage:
    """Return a time as a message."""
    seconds, nanosec = divmod(nanoseconds, NANOSECONDS)
    return TimeMessage(sec=seconds, nanosec=nanosec)
