# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From camera frames to the blocks of two that a Qwen3-VL vision tower reads."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F

from ..frames import check_frame, check_time
from .geometry import Geometry


def fit(frame: np.ndarray, size: tuple[int, int]) -> torch.Tensor:
    """Resize uint8 RGB (H, W, 3) to uint8 (3, *size), bit-identical to the published processor."""
    image = torch.from_numpy(np.ascontiguousarray(frame)).permute(2, 0, 1)
    if tuple(image.shape[1:]) == size:
        return image.contiguous()
    resized = F.interpolate(image[None], size=size, mode='bicubic', antialias=True)
    return resized[0].contiguous()


@dataclass(frozen=True)
class Block:
    """Two frames, uint8 (2, 3, H, W), and their times [s]."""

    frames: torch.Tensor
    times: tuple[float, float]

    @property
    def time(self) -> float:
        """The time [s] the prompt gives the block: the mean of the two."""
        return sum(self.times) / 2


def doubled(frame: torch.Tensor, time: float) -> Block:
    """A frame (3, H, W) that has no partner, taken twice."""
    return Block(torch.stack([frame, frame]), (time, time))


@dataclass
class Video:
    """The frames of an episode so far, all of the first one's size, cut into blocks of two."""

    geometry: Geometry
    size: tuple[int, int] | None = None
    blocks: list[Block] = field(default_factory=list)
    _lone: tuple[torch.Tensor, float] | None = None
    _last_time: float = -math.inf

    @property
    def frames(self) -> int:
        return 2 * len(self.blocks) + (self._lone is not None)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of tokens in a block; ValueError before the first frame."""
        if self.size is None:
            raise ValueError('a video without frames has no size')
        return self.geometry.grid(self.size)

    @property
    def branch(self) -> Block | None:
        """The last frame doubled, as long as it has no partner: part of a score, not of the cache.

        It takes its own time.
        """
        if self._lone is None:
            return None
        return doubled(*self._lone)

    def images(self) -> list[torch.Tensor]:
        """Every frame, uint8 (3, H, W)."""
        lone = [] if self._lone is None else [self._lone[0]]
        return [image for block in self.blocks for image in block.frames] + lone

    def fps(self) -> float:
        """Frames per second over the whole video; 1 where there are too few to tell."""
        span = self._last_time - (self.blocks[0].times[0] if self.blocks else self._last_time)
        return (self.frames - 1) / span if span > 0 else 1.0

    def append(self, frame: np.ndarray, time: float) -> None:
        """Add a frame; raises FrameError as `check_frame`, or for a time that falls."""
        check_frame(frame)
        check_time(time, self._last_time)
        if self.size is None:
            self.size = self.geometry.fit_size(*frame.shape[:2])
        image = fit(frame, self.size)
        if self._lone is None:
            self._lone = image, time
        else:
            first, first_time = self._lone
            self.blocks.append(Block(torch.stack([first, image]), (first_time, time)))
            self._lone = None
        self._last_time = time

    def take_blocks(self) -> tuple[list[Block], Block | None]:
        """Hand over the blocks so far, and the branch; the blocks are not kept nor counted."""
        blocks, self.blocks = self.blocks, []
        return blocks, self.branch

    def thin(self) -> None:
        """Drop every second block; the first one stays."""
        self.blocks = self.blocks[::2]
