# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Blocks of two frames, as a Qwen3-VL vision tower reads them, from camera frames."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F

from ..frames import check_frame, check_time
from .geometry import Geometry


def fit(frame: np.ndarray, size: tuple[int, int]) -> torch.Tensor:
    """Resize uint8 RGB (H, W, 3) to uint8 (*size, 3), bit-identical to the published processor.

    The result is a copy where nothing is resized, too.
    """
    # torch warns of arrays that are not writable, as those of images from files are
    writable = np.require(frame, requirements=('C_CONTIGUOUS', 'WRITEABLE'))
    image = torch.from_numpy(writable)
    if tuple(image.shape[:2]) == size:
        return image.clone()
    channels = image.permute(2, 0, 1)[None]
    resized = F.interpolate(channels, size=size, mode='bicubic', antialias=True)
    return resized[0].permute(1, 2, 0).contiguous()


def fit_frame(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize as `fit` does, to uint8 RGB (*size, 3); a frame of this size is returned itself."""
    return frame if frame.shape[:2] == size else fit(frame, size).numpy()


def fitter(geometry: Geometry, height: int, width: int) -> Callable[[np.ndarray], np.ndarray]:
    """Return what makes frames small for an episode whose first frame has this size [px].

    They are no larger than needed, and fitted as `Video` does: it changes nothing of the result.
    """
    if geometry.frame_fit == 'paper':
        return geometry.shaped
    return partial(fit_frame, size=geometry.fit_size(height, width))


@dataclass(frozen=True)
class Block:
    """Two frames, each uint8 (H, W, 3), and their times [s]."""

    frames: tuple[torch.Tensor, torch.Tensor]
    times: tuple[float, float]

    @property
    def time(self) -> float:
        """The time [s] of the block in the prompt: the mean of the two."""
        return sum(self.times) / 2


def doubled(frame: torch.Tensor, time: float) -> Block:
    """Return a block of an unpaired frame (H, W, 3), taken twice."""
    return Block((frame, frame), (time, time))


def stacked(blocks: Sequence[Block]) -> torch.Tensor:
    """Return the frames of blocks, uint8 (blocks, 2, H, W, 3)."""
    frames = torch.stack([frame for block in blocks for frame in block.frames])
    return frames.view(-1, 2, *frames.shape[1:])


@dataclass
class Video:
    """The frames of an episode so far, in blocks of two, all fitted to the first frame's size."""

    geometry: Geometry
    size: tuple[int, int] | None = None
    blocks: list[Block] = field(default_factory=list)
    _unpaired: tuple[torch.Tensor, float] | None = None
    _last_time: float = -math.inf

    @property
    def frames(self) -> int:
        return 2 * len(self.blocks) + (self._unpaired is not None)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of video tokens in a block; ValueError before the first frame."""
        if self.size is None:
            raise ValueError('a video without frames has no size')
        return self.geometry.grid(self.size)

    @property
    def branch(self) -> Block | None:
        """The unpaired last frame, doubled, at its own time; None where all frames are paired.

        It is part of a score, not of the prefix cache.
        """
        if self._unpaired is None:
            return None
        return doubled(*self._unpaired)

    def images(self) -> list[torch.Tensor]:
        """Return every frame, uint8 (H, W, 3)."""
        unpaired = [] if self._unpaired is None else [self._unpaired[0]]
        return [image for block in self.blocks for image in block.frames] + unpaired

    def fps(self) -> float:
        """Return the mean frame rate [1/s]; 1 where it is unknown, as for a single frame."""
        span = self._last_time - (self.blocks[0].times[0] if self.blocks else self._last_time)
        return (self.frames - 1) / span if span > 0 else 1.0

    def append(self, frame: np.ndarray, time: float) -> None:
        """Add a frame at a time [s]; raises FrameError as `check_frame` and `check_time`."""
        check_frame(frame)
        check_time(time, self._last_time)
        if self.size is None:
            self.size = self.geometry.fit_size(*frame.shape[:2])
        image = fit(self.geometry.shaped(frame), self.size)
        if self._unpaired is None:
            self._unpaired = image, time
        else:
            first, first_time = self._unpaired
            self.blocks.append(Block((first, image), (first_time, time)))
            self._unpaired = None
        self._last_time = time

    def keep_last(self, count: int) -> bool:
        """Drop all frames but the newest `count`, and pair these anew; False if none is dropped."""
        dropped = self.frames - count
        if dropped <= 0:
            return False
        shots = [shot for each in self.blocks for shot in zip(each.frames, each.times, strict=True)]
        shots += [] if self._unpaired is None else [self._unpaired]
        kept = shots[dropped:]
        self.blocks = []
        for k in range(0, len(kept) - 1, 2):
            (first, first_time), (second, second_time) = kept[k : k + 2]
            self.blocks.append(Block((first, second), (first_time, second_time)))
        self._unpaired = kept[-1] if len(kept) % 2 else None
        return True

    def take_blocks(self) -> tuple[list[Block], Block | None]:
        """Remove and return the blocks so far, and the branch; the blocks no longer count."""
        blocks, self.blocks = self.blocks, []
        return blocks, self.branch

    def thin(self) -> None:
        """Drop every second block, keeping the first."""
        self.blocks = self.blocks[::2]
