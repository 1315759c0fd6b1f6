# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From image messages, which may hold anything, to uint8 RGB arrays (H, W, 3)."""

from __future__ import annotations

import functools
import io
from typing import Any

import numpy as np
from PIL import Image as PillowImage

from topreward_ros.errors import FrameError

MAX_PIXELS = 100_000_000
COMPRESSED_FORMATS = ('JPEG', 'PNG', 'WEBP')
# Modes that lose nothing on the way to RGB; a 16-bit picture would be clipped.
COMPRESSED_MODES = ('RGB', 'RGBA', 'L', 'P')
# Bytes per pixel, and which of them are red, green and blue
PLAIN_ENCODINGS: dict[str, tuple[int, Any]] = {
    'rgb8': (3, slice(0, 3)),
    'bgr8': (3, slice(None, None, -1)),
    'rgba8': (4, slice(0, 3)),
    'bgra8': (4, slice(2, None, -1)),
    'mono8': (1, slice(0, 1)),
}


def decode_image(message: Any) -> np.ndarray:
    """Read a sensor_msgs/Image; a view of its data for the plain encodings, rows padded or not.

    Single bytes have no order, so is_bigendian changes nothing for these. Other encodings go
    through cv_bridge. Raises FrameError for data that does not fit its description and for
    encodings that cannot be read.
    """
    if message.encoding not in PLAIN_ENCODINGS:
        return _through_cv_bridge(message)
    depth, channels = PLAIN_ENCODINGS[message.encoding]
    height, width, step = message.height, message.width, message.step
    if height == 0 or width == 0:
        raise FrameError(f'the image is empty: {width}x{height}')
    data = np.frombuffer(message.data, dtype=np.uint8)
    if step < width * depth or data.size < height * step:
        raise FrameError(
            f'the image is said to be {width}x{height} {message.encoding} with {step} bytes a row, '
            f'but has {data.size} bytes'
        )
    rows = data[: height * step].reshape(height, step)[:, : width * depth]
    pixels = rows.reshape(height, width, depth)
    if message.encoding == 'mono8':
        return np.broadcast_to(pixels, (height, width, 3))
    return pixels[..., channels]


def decode_compressed_image(message: Any) -> np.ndarray:
    """Read a sensor_msgs/CompressedImage: JPEG, PNG or WebP, of 8 bits a channel.

    Raises FrameError for other formats and for data that is broken, cut short or a bomb.
    """
    try:
        with PillowImage.open(io.BytesIO(message.data), formats=COMPRESSED_FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise FrameError(f'the compressed image has {image.width}x{image.height} pixels')
            if image.mode not in COMPRESSED_MODES:
                raise FrameError(f'the compressed image is of mode {image.mode}; expected RGB or L')
            return np.asarray(image.convert('RGB'))
    except FrameError:
        raise
    except Exception as error:  # Pillow's decoders raise nearly everything on broken data
        raise FrameError(
            f'the compressed image (format {message.format!r}) cannot be read: {error}'
        ) from error


@functools.cache
def _cv_bridge() -> tuple[Any, str]:
    """The bridge, or None and why: tried once, not once an image."""
    try:
        from cv_bridge import CvBridge
    except Exception as error:  # not installed, or built for another numpy
        return None, str(error)
    return CvBridge(), ''


def _through_cv_bridge(message: Any) -> np.ndarray:
    bridge, trouble = _cv_bridge()
    if bridge is None:
        raise FrameError(
            f'encoding {message.encoding!r} needs cv_bridge, which cannot be used ({trouble}); '
            f'read without it: {", ".join(PLAIN_ENCODINGS)}'
        )
    try:
        image = np.asarray(bridge.imgmsg_to_cv2(message, desired_encoding='rgb8'))
    except Exception as error:  # whatever OpenCV makes of it
        raise FrameError(
            f'encoding {message.encoding!r} cannot be read as rgb8: {error}'
        ) from error
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise FrameError(f'encoding {message.encoding!r} came out as {image.dtype} {image.shape}')
    return image
