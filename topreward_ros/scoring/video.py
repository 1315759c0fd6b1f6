# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From camera frames to the blocks of two that a Qwen3-VL vision tower reads."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F

from .errors import FrameError

# The published processor's pixel budget for a whole clip (25 165 824), spread over 64 frames.
CLIP_FRAMES = 64
DEFAULT_MAX_PIXELS = 25_165_824 // CLIP_FRAMES
MAX_ASPECT_RATIO = 200


@dataclass(frozen=True)
class Geometry:
    """How frames are cut: from the model's configuration, not from an image processor.

    patch [px], merge [patches] and the mean and deviation of a pixel in [0, 1]; max_pixels is
    the most a frame may have after resizing.
    """

    patch: int = 16
    merge: int = 2
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)
    max_pixels: int = DEFAULT_MAX_PIXELS

    def __post_init__(self) -> None:
        if self.max_pixels < self.factor**2:
            raise ValueError(
                f'max_pixels is {self.max_pixels}; at least {self.factor**2} is needed'
            )

    @property
    def factor(self) -> int:
        """Height and width [px] are multiples of this."""
        return self.patch * self.merge

    def fit_size(self, height: int, width: int) -> tuple[int, int]:
        """The size (H, W) [px] that frames of this size are resized to.

        As the published processor rounds (transformers, smart_resize), but within a budget per
        frame and not per clip, so that the size does not depend on how long the clip is.
        """
        rounded = [max(1, round(side / self.factor)) for side in (height, width)]
        if rounded[0] * rounded[1] * self.factor**2 > self.max_pixels:
            shrink = math.sqrt(height * width / self.max_pixels) * self.factor
            rounded = [max(1, math.floor(side / shrink)) for side in (height, width)]
        # A side that may not fall below one cell can leave the other one too long.
        most = self.max_pixels // self.factor**2
        rows, columns = min(rounded[0], most), min(rounded[1], most)
        return rows * self.factor, columns * self.factor

    def grid(self, size: tuple[int, int]) -> tuple[int, int]:
        """Rows and columns of merged patches, one token each."""
        return size[0] // self.factor, size[1] // self.factor

    def patches(self, blocks: torch.Tensor) -> torch.Tensor:
        """Cut uint8 (n, 2, 3, H, W) into float32 (n * H/patch * W/patch, 3 * 2 * patch**2).

        The order of rows and of values within a row is the vision tower's: merged patches
        together, then channel, time, row, column. Scaled as the published processor does.
        """
        n, times, channels, height, width = blocks.shape
        mean, std = (_levels(values, blocks.device) for values in (self.mean, self.std))
        pixels = (blocks.to(torch.float32) - mean) / std
        cells = pixels.view(
            n,
            times,
            channels,
            height // self.factor,
            self.merge,
            self.patch,
            width // self.factor,
            self.merge,
            self.patch,
        )
        cells = cells.permute(0, 3, 6, 4, 7, 2, 1, 5, 8)
        return cells.reshape(-1, channels * times * self.patch**2)


def _levels(channels: tuple[float, float, float], device: torch.device) -> torch.Tensor:
    """Values of [0, 1] as levels of 255, (3, 1, 1), made on the device: nothing is sent there."""
    return torch.cat([torch.full((1, 1, 1), 255 * value, device=device) for value in channels])


def check_frame(frame: np.ndarray) -> np.ndarray:
    """The frame, if it is a uint8 RGB image (H, W, 3), not absurdly narrow; else FrameError."""
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
    """The time [s] of a frame, if it is not before the last one's; else FrameError."""
    if not math.isfinite(time) or time < max(last, 0.0):
        raise FrameError(
            f'a frame at {time} s after one at {last} s: times are counted from the '
            "episode's beginning and never fall; start a new episode"
        )
    return time


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
