# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Checks of frames and their times, and the shape in which the authors' code shows them."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from topreward_ros.errors import FrameError

from .frame_fits import PAPER_SIZE

MAX_ASPECT_RATIO = 200


def squash(frame: np.ndarray) -> np.ndarray:
    """Resize uint8 RGB (H, W, 3) to PAPER_SIZE with Pillow's bicubic filter.

    This is bit-identical to the authors' code (`to_pil` in github.com/TOPReward/TOPReward). A frame
    of this size is returned itself.
    """
    return resized(frame, PAPER_SIZE)


def resized(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize uint8 RGB (H, W, 3) to (*size, 3) with Pillow's bicubic filter.

    A frame of this size is returned itself.
    """
    if frame.shape[:2] == size:
        return frame
    height, width = size
    return np.asarray(Image.fromarray(frame).resize((width, height), Image.Resampling.BICUBIC))


def check_frame(frame: np.ndarray) -> np.ndarray:
    """Return the frame if it is uint8 RGB (H, W, 3) within MAX_ASPECT_RATIO; else FrameError."""
    if not isinstance(frame, np.ndarray) or frame.dtype != np.uint8:
        kind = frame.dtype if isinstance(frame, np.ndarray) else type(frame).__name__
        raise FrameError(f'the frame is {kind}; expected a uint8 array (H, W, 3) in RGB')
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.size == 0:
        raise FrameError(
            f'the frame has shape {frame.shape}; expected a uint8 array (H, W, 3) in RGB'
        )
    height, width = frame.shape[:2]
    if max(height, width) > MAX_ASPECT_RATIO * min(height, width):
        raise FrameError(
            f'a frame of {width}x{height} cannot be scored; expected at most {MAX_ASPECT_RATIO} '
            'times as long as wide'
        )
    return frame


def check_time(time: float, last: float) -> float:
    """Return the time [s] of a frame if it is finite and not before `last`; else FrameError."""
    if not math.isfinite(time) or time < max(last, 0.0):
        raise FrameError(
            f'a frame at {time} s after one at {last} s: times count from the beginning of the '
            'episode and never fall; start a new episode'
        )
    return time
