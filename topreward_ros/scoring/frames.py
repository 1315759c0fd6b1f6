# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a frame is, and how large it may be."""

from __future__ import annotations

import math

import numpy as np

from topreward_ros.errors import FrameError

# The published processor's pixel budget for a whole clip (25 165 824), spread over 64 frames.
CLIP_FRAMES = 64
DEFAULT_MAX_PIXELS = 25_165_824 // CLIP_FRAMES
MAX_ASPECT_RATIO = 200


def check_frame(frame: np.ndarray) -> np.ndarray:
    """Return a uint8 RGB image (H, W, 3) that is not absurdly narrow; FrameError for any other."""
    if not isinstance(frame, np.ndarray) or frame.dtype != np.uint8:
        kind = frame.dtype if isinstance(frame, np.ndarray) else type(frame).__name__
        raise FrameError(f'a frame is a uint8 array (H, W, 3) in RGB, not {kind}')
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.size == 0:
        raise FrameError(f'a frame is a uint8 array (H, W, 3) in RGB, not of shape {frame.shape}')
    height, width = frame.shape[:2]
    if max(height, width) > MAX_ASPECT_RATIO * min(height, width):
        raise FrameError(
            f'a frame of {width}x{height} cannot be scored; expected at most {MAX_ASPECT_RATIO} '
            'times as long as wide'
        )
    return frame


def check_time(time: float, last: float) -> float:
    """Return the time [s] of a frame if it is not before the last one's; else FrameError."""
    if not math.isfinite(time) or time < max(last, 0.0):
        raise FrameError(
            f'a frame at {time} s after one at {last} s: times are counted from the '
            "episode's beginning and never fall; start a new episode"
        )
    return time
