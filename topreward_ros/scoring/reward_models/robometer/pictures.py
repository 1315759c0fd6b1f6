# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The pictures of an episode, as Robometer is shown them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch

from ...engine.geometry import Geometry
from ...engine.kept_features import Shown, as_it_is
from ...engine.prompt import Segment
from ...engine.video import Block, doubled
from ...frames import check_frame, check_time, resized
from .layout import RobometerLayout, picture_size


@dataclass
class Pictures:
    """Pictures so far, each uint8 (H, W, 3), all of the first one's size."""

    geometry: Geometry
    size: tuple[int, int] | None = None
    shown: list[torch.Tensor] = field(default_factory=list)
    _last_time: float = -math.inf

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of tokens in a picture; ValueError before the first one."""
        if self.size is None:
            raise ValueError('pictures without a first one have no size')
        return self.geometry.grid(self.size)

    def append(self, frame: np.ndarray, time: float) -> None:
        """Add a frame at a time [s]; raises FrameError as `check_frame` and `check_time`."""
        check_frame(frame)
        self._last_time = check_time(time, self._last_time)
        if self.size is None:
            self.size = fitted_size(self.geometry, *frame.shape[:2])
        self.shown.append(torch.tensor(resized(frame, self.size)))

    def thin(self) -> None:
        """Drop every second picture, keeping the first."""
        self.shown = self.shown[::2]

    def keep_last(self, count: int) -> bool:
        """Drop all pictures but the newest `count`; False if none is dropped."""
        dropped = len(self.shown) - count
        self.shown = self.shown[max(0, dropped) :]
        return dropped > 0


class PicturePrompt:
    """The prompt of a growing sequence of pictures; the next position after it is `position`."""

    def __init__(
        self, layout: RobometerLayout, task: str, show: Callable[[Block], Shown] = as_it_is
    ) -> None:
        """Show for each picture what `show` makes of it."""
        self._layout, self._task, self._show = layout, task, show
        self.start()

    def start(self) -> None:
        self.pictures = self.position = 0

    def extend(self, pictures: Pictures, stop: int) -> list[Segment]:
        """Add pictures up to this number; return their segments."""
        segments = []
        for number in range(self.pictures + 1, stop + 1):
            shown = self._show(doubled(pictures.shown[number - 1], 0.0))
            segment = self._layout.picture(shown, number, self._task, pictures.grid, self.position)
            segments.append(segment)
            self.pictures, self.position = number, segment.next_position
        return segments


def fitted_size(geometry: Geometry, height: int, width: int) -> tuple[int, int]:
    """Return the size (H, W) [px] that pictures of this size are resized to."""
    return picture_size(height, width, geometry.factor, geometry.max_pixels)


def picture_fitter(
    geometry: Geometry, height: int, width: int
) -> Callable[[np.ndarray], np.ndarray]:
    """Return what makes frames small for an episode whose first frame has this size [px]."""
    return partial(resized, size=fitted_size(geometry, height, width))
