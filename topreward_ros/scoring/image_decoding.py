# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Decodes image messages into uint8 RGB arrays (H, W, 3)."""

from __future__ import annotations

import functools
import io
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from topreward_ros.errors import FrameError

from .demosaic import demosaic
from .pictures import MAX_PIXELS, read_picture

# Channels per pixel, and the slice of them that is red, green and blue. OpenCV's own names (8UC3)
# are in its order, blue first.
CHANNELS: dict[str, tuple[int, Any]] = {
    'rgb': (3, slice(0, 3)),
    'bgr': (3, slice(None, None, -1)),
    'rgba': (4, slice(0, 3)),
    'bgra': (4, slice(2, None, -1)),
    'mono': (1, slice(0, 1)),
}
PLAIN_ENCODINGS: dict[str, str] = {
    **{f'{name}{bits}': name for name in CHANNELS for bits in (8, 16)},
    '8UC1': 'mono',
    '8UC3': 'bgr',
    '8UC4': 'bgra',
}
BAYER_ENCODINGS = {
    f'bayer_{order}{bits}': order for order in ('rggb', 'bggr', 'gbrg', 'grbg') for bits in (8, 16)
}
# Names in FFmpeg, whose converter does them
PACKED_ENCODINGS = {
    'yuv422': 'uyvy422',
    'uyvy': 'uyvy422',
    'yuv422_yuy2': 'yuyv422',
    'yuyv': 'yuyv422',
    'nv12': 'nv12',
    'nv21': 'nv21',
    'nv24': 'nv24',
}
ENCODINGS = (*PLAIN_ENCODINGS, *BAYER_ENCODINGS, *PACKED_ENCODINGS)
DEPTH = re.compile(r'(8S|16U|16S|32S|32F|64F)C\d+')


def decode_image(message: Any) -> np.ndarray:
    """Decode a sensor_msgs/Image; a view of its data where its channels are bytes.

    Rows may be padded. Of 16 bits the higher 8 are taken. Encodings other than ENCODINGS are
    converted by cv_bridge. Raises FrameError for data that does not match its description, for
    depth, and for encodings that cannot be decoded.
    """
    encoding, height, width = message.encoding, message.height, message.width
    if DEPTH.fullmatch(encoding):
        raise FrameError(
            f'encoding {encoding!r} is of depth or other measurements, not a picture: choose the '
            "camera's color topic"
        )
    if encoding not in ENCODINGS:
        return _through_cv_bridge(message)
    if height == 0 or width == 0:
        raise FrameError(f'the image is empty: {width}x{height}')
    if height * width > MAX_PIXELS:
        raise FrameError(f'the image has {width}x{height} pixels; expected at most {MAX_PIXELS}')
    if encoding in PLAIN_ENCODINGS:
        depth, channels = CHANNELS[PLAIN_ENCODINGS[encoding]]
        (rows,) = _rows(message, [(height, width * depth)])
        pixels = rows.reshape(height, width, depth)
        if depth == 1:
            return np.broadcast_to(pixels, (height, width, 3))
        return pixels[..., channels]
    if encoding in PACKED_ENCODINGS:
        return _through_ffmpeg(message)
    if min(height, width) < 2:
        raise FrameError(f'a Bayer mosaic has {width}x{height} pixels; expected 2x2 or more')
    (rows,) = _rows(message, [(height, width)])
    return demosaic(rows, BAYER_ENCODINGS[encoding])


def decode_compressed_image(message: Any) -> np.ndarray:
    """Decode a sensor_msgs/CompressedImage as `pictures.read_picture` does.

    Raises FrameError for depth, and for what cannot be read.
    """
    if 'compresseddepth' in message.format.lower():
        raise FrameError(
            f'format {message.format!r} is of depth, not a picture: choose the color topic'
        )
    name = f'the compressed image (format {message.format!r})'
    return read_picture(io.BytesIO(message.data), name)


def _rows(message: Any, planes: list[tuple[int, int]]) -> Iterator[np.ndarray]:
    """Yield the planes (rows, bytes) of a message as uint8 arrays without the rows' padding.

    Of 16-bit values, the higher byte. A plane's rows are a whole number of steps long. Raises
    FrameError where the data is shorter than its description.
    """
    bytes_per_value = 2 if message.encoding.endswith('16') else 1
    data = np.frombuffer(message.data, dtype=np.uint8)
    step, width = message.step, planes[0][1] * bytes_per_value
    steps = [max(1, size // planes[0][1]) * step for _, size in planes]
    needed = sum(rows * each for (rows, _), each in zip(planes, steps, strict=True))
    if step < width or data.size < needed:
        raise FrameError(
            f'the image is described as {message.width}x{message.height} {message.encoding} with '
            f'{step} bytes a row, but has {data.size} bytes'
        )
    high = bytes_per_value - 1 if not message.is_bigendian else 0
    offset = 0
    for (rows, size), each in zip(planes, steps, strict=True):
        plane = data[offset : offset + rows * each].reshape(rows, each)
        yield plane[:, high : size * bytes_per_value : bytes_per_value]
        offset += rows * each


def _through_ffmpeg(message: Any) -> np.ndarray:
    """Convert a packed or planar YUV image (BT.601, limited range)."""
    encoding, height, width = message.encoding, message.height, message.width
    is_halved = '422' not in PACKED_ENCODINGS[encoding]  # in its height, too
    if width % 2 or (is_halved and height % 2):
        raise FrameError(f'an image of {encoding} has {width}x{height} pixels; expected even sizes')
    try:
        from av import VideoFrame
    except ImportError as error:
        raise FrameError(f'encoding {encoding!r} needs PyAV: pip install av') from error
    planes = {
        'nv12': [(height, width), (height // 2, width)],
        'nv21': [(height, width), (height // 2, width)],
        'nv24': [(height, width), (height, 2 * width)],
    }.get(encoding, [(height, 2 * width)])
    frame = VideoFrame(width, height, PACKED_ENCODINGS[encoding])
    for plane, rows in zip(frame.planes, _rows(message, planes), strict=True):
        target = np.zeros((plane.height, plane.line_size), np.uint8)
        target[:, : rows.shape[1]] = rows
        plane.update(target.tobytes())
    return frame.to_ndarray(format='rgb24')


@functools.cache
def _cv_bridge() -> tuple[Any, str]:
    """Return the bridge, or None and the problem; tried once per process."""
    try:
        from cv_bridge import CvBridge
    except Exception as error:  # not installed, or built for another numpy
        return None, str(error)
    return CvBridge(), ''


def _through_cv_bridge(message: Any) -> np.ndarray:
    bridge, problem = _cv_bridge()
    if bridge is None:
        known = ', '.join(ENCODINGS)
        raise FrameError(
            f'encoding {message.encoding!r} needs cv_bridge, which cannot be used ({problem}); '
            f'encodings without it: {known}'
        )
    try:
        image = np.asarray(bridge.imgmsg_to_cv2(message, desired_encoding='rgb8'))
    except Exception as error:  # OpenCV raises nearly everything on bad data
        raise FrameError(
            f'encoding {message.encoding!r} cannot be read as rgb8: {error}'
        ) from error
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise FrameError(f'encoding {message.encoding!r} came out as {image.dtype} {image.shape}')
    return image
