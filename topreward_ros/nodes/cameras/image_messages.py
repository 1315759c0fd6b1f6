# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures as messages; images are uint8 RGB (H, W, 3), stamps in nanoseconds."""

from __future__ import annotations

import io

import numpy as np
from builtin_interfaces.msg import Time as TimeMessage
from PIL import Image as PillowImage
from sensor_msgs.msg import CompressedImage, Image

from topreward_ros.scoring.sampling import NANOSECONDS


def raw_message(image: np.ndarray, stamp: int, frame_id: str) -> Image:
    height, width = image.shape[:2]
    message = Image(height=height, width=width, encoding='rgb8', step=3 * width)
    message.data.frombytes(np.ascontiguousarray(image).data)  # far faster than a list
    message.header.frame_id = frame_id
    message.header.stamp = time_message(stamp)
    return message


def jpeg_message(
    image: np.ndarray, stamp: int, frame_id: str, quality: int = 90
) -> CompressedImage:
    message = CompressedImage(format='rgb8; jpeg compressed bgr8')
    jpeg = io.BytesIO()
    PillowImage.fromarray(image).save(jpeg, 'JPEG', quality=quality)
    message.data.frombytes(jpeg.getvalue())
    message.header.frame_id = frame_id
    message.header.stamp = time_message(stamp)
    return message


def time_message(nanoseconds: int) -> TimeMessage:
    seconds, rest = divmod(nanoseconds, NANOSECONDS)
    return TimeMessage(sec=seconds, nanosec=rest)
