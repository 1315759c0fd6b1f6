# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The pictures of an episode that questions may still be asked about, each encoded once."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from functools import partial

import numpy as np
import torch

from ...engine.chat_model import ChatModel
from ...engine.chat_prompt import Image
from ...engine.geometry import Geometry
from ...engine.video import fit, fit_frame
from ...engine.vision_tower import VisionTower
from ...frames import check_frame, check_time

# Of Qwen3-VL's image processor, as published
LEAST_PIXELS, MOST_PIXELS = 65_536, 16_777_216


class Picture:
    """A picture, uint8 (H, W, 3), with what vision towers have made of it."""

    def __init__(self, image: torch.Tensor) -> None:
        self.image = image
        self._encoded: dict[VisionTower, Image] = {}

    def encoded(self, model: ChatModel) -> Image:
        """Return what the model sees of it, computed at the first call for its vision tower."""
        if model.vision not in self._encoded:
            self._encoded[model.vision] = model.encode(self.image)
        return self._encoded[model.vision]


class Pictures:
    """The first picture of an episode and its latest ones, all of the first one's size.

    Twice as many are kept as the contrast reaches back: a thinned episode reaches twice as far.
    From `keep_last` on all are kept, with what was made of them, as each will be the first one.
    """

    def __init__(self, geometry: Geometry, steps_back: int) -> None:
        self._geometry, self._steps_back = geometry, steps_back
        self._last_time = -math.inf
        self._size: tuple[int, int] | None = None
        self.clear()

    def clear(self) -> None:
        """Drop all pictures."""
        self.frames = 0
        self._initial: Picture | None = None
        self._recent: deque[Picture] = deque(maxlen=2 * (self._steps_back + 1))

    def append(self, frame: np.ndarray, time: float) -> None:
        """Add a frame at a time [s]; raises FrameError as `check_frame` and `check_time`."""
        check_frame(frame)
        self._last_time = check_time(time, self._last_time)
        if self._size is None:
            self._size = fitted_size(self._geometry, *frame.shape[:2])
        picture = Picture(fit(frame, self._size))
        self._initial = self._initial or picture
        self._recent.append(picture)
        self.frames += 1

    def thin(self) -> None:
        """Drop every second picture, keeping the first."""
        first = self.frames - len(self._recent)
        kept = [picture for k, picture in enumerate(self._recent, first) if k % 2 == 0]
        self.frames = (self.frames + 1) // 2
        self._recent = deque(kept, self._recent.maxlen)

    def keep_last(self, count: int) -> None:
        """Drop all pictures but the newest `count`; the oldest of them is then the first one.

        ValueError where some of these are gone, as it was not called for earlier pictures.
        """
        kept = min(self.frames, count)
        if kept > len(self._recent):
            raise ValueError(
                f'the newest {kept} pictures are asked for, and {len(self._recent)} were kept: '
                'keep_last has to be called before each frame, from the first on'
            )
        recent = list(self._recent)[len(self._recent) - kept :]
        self._recent = deque(recent)
        self._initial = recent[0] if recent else None
        self.frames = kept

    @property
    def initial(self) -> Picture:
        """The first picture; ValueError before it."""
        if self._initial is None:
            raise ValueError('an episode without frames cannot be scored: append one first')
        return self._initial

    @property
    def newest(self) -> Picture:
        return self._recent[-1]

    @property
    def earlier(self) -> Picture | None:
        """The picture `steps_back` before the newest; None where there is none.

        The oldest that is kept, where an episode was thinned several times without new pictures.
        """
        if self.frames <= self._steps_back:
            return None
        return self._recent[max(0, len(self._recent) - 1 - self._steps_back)]


def picture_size(height: int, width: int, factor: int, max_pixels: int) -> tuple[int, int]:
    """Return the size (H, W) [px] that a picture of this size is resized to.

    As smart_resize of Qwen3-VL's image processor in transformers, with max_pixels where that is
    less than its own limit. Both sides are multiples of factor.
    """
    most = min(MOST_PIXELS, max_pixels)
    limit = most // factor**2
    size = [round(side / factor) for side in (height, width)]
    if size[0] * size[1] * factor**2 < min(LEAST_PIXELS, most):
        grow = math.sqrt(LEAST_PIXELS / (height * width)) / factor
        size = [math.ceil(side * grow) for side in (height, width)]
    if size[0] * size[1] > limit:
        shrink = math.sqrt(height * width / most) * factor
        size = [max(1, math.floor(side / shrink)) for side in (height, width)]
    # A side is at least one merged patch, which can leave the other side too long.
    return min(size[0], limit) * factor, min(size[1], limit) * factor


def fitted_size(geometry: Geometry, height: int, width: int) -> tuple[int, int]:
    """Return the size (H, W) [px] that pictures of this size are resized to."""
    return picture_size(height, width, geometry.factor, geometry.max_pixels)


def picture_fitter(
    geometry: Geometry, height: int, width: int
) -> Callable[[np.ndarray], np.ndarray]:
    """Return what resizes frames for an episode whose first frame has this size [px]."""
    return partial(fit_frame, size=fitted_size(geometry, height, width))
