# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Frame sizes and patches, from a checkpoint's configuration."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from topreward_ros.errors import ModelError

from ..frame_fits import CLIP_FRAMES, DEFAULT_MAX_PIXELS, FRAME_FITS, PAPER_SIZE
from ..frames import squash
from ..loading.checkpoint import Checkpoint
from ..loading.model_files import read_object

LEAST_CLIP_PIXELS = 4096


@dataclass(frozen=True)
class Geometry:
    """How frames are resized, normalised and cut into patches.

    patch [px]: side of a patch; merge [patches]: side of a merged patch, which is one token; mean
    and std: of pixel values in [0, 1], per channel; max_pixels [px]: limit per resized frame;
    frame_fit: one of FRAME_FITS; clip_pixels [px]: limits of the published processor for a whole
    clip, at least and at most. Raises ValueError for max_pixels below one merged patch.
    """

    patch: int = 16
    merge: int = 2
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)
    max_pixels: int = DEFAULT_MAX_PIXELS
    frame_fit: str = 'aspect'
    clip_pixels: tuple[int, int] = (LEAST_CLIP_PIXELS, DEFAULT_MAX_PIXELS * CLIP_FRAMES)

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
        """Return the size (H, W) [px] that frames of this size are resized to.

        Rounded as by the published processor (transformers, smart_resize), but with a pixel budget
        per frame instead of per clip, so the size does not depend on the clip's length.
        """
        if self.frame_fit == 'paper':
            height, width = PAPER_SIZE
        rounded = [max(1, round(side / self.factor)) for side in (height, width)]
        if rounded[0] * rounded[1] * self.factor**2 > self.max_pixels:
            shrink = math.sqrt(height * width / self.max_pixels) * self.factor
            rounded = [max(1, math.floor(side / shrink)) for side in (height, width)]
        # A side is at least one merged patch, which can leave the other side too long.
        limit = self.max_pixels // self.factor**2
        rows, columns = min(rounded[0], limit), min(rounded[1], limit)
        return rows * self.factor, columns * self.factor

    def clip_size(self, frames: int, height: int, width: int) -> tuple[int, int]:
        """Return the size (H, W) [px] of all frames of a clip by the published processor.

        As smart_resize of Qwen3-VL's video processor in transformers 5.5, where the pixels of the
        whole clip are limited. Smaller frames than a merged patch are enlarged, as in 5.24.
        """
        shortest = min(height, width)
        if shortest < self.factor:
            height, width = (int(side * self.factor / shortest) for side in (height, width))
        size = [round(side / self.factor) * self.factor for side in (height, width)]
        total = math.ceil(frames / 2) * 2 * size[0] * size[1]
        least, most = self.clip_pixels
        if total > most:
            shrink = math.sqrt(frames * height * width / most) * self.factor
            size = [max(1, math.floor(side / shrink)) * self.factor for side in (height, width)]
        elif total < least:
            grow = math.sqrt(least / (frames * height * width)) / self.factor
            size = [math.ceil(side * grow) * self.factor for side in (height, width)]
        return size[0], size[1]

    def shaped(self, frame: np.ndarray) -> np.ndarray:
        """Return uint8 RGB (H, W, 3) in the shape from which `fit_size` is reached."""
        return squash(frame) if self.frame_fit == 'paper' else frame

    def grid(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return rows and columns of merged patches, one token each."""
        return size[0] // self.factor, size[1] // self.factor

    def patches(self, blocks: torch.Tensor) -> torch.Tensor:
        """Cut uint8 (n, 2, H, W, 3) into float32 (n * H/patch * W/patch, 3 * 2 * patch**2).

        Rows and the values within a row are in the vision tower's order: merged patches adjacent;
        then channel, time, row, column. Pixels are normalised as by the published processor.
        """
        n, times, height, width, channels = blocks.shape
        mean, std = (_pixel_values(values, blocks.device) for values in (self.mean, self.std))
        pixels = (blocks.to(torch.float32) - mean) / std
        cells = pixels.view(
            n,
            times,
            height // self.factor,
            self.merge,
            self.patch,
            width // self.factor,
            self.merge,
            self.patch,
            channels,
        )
        cells = cells.permute(0, 2, 5, 3, 6, 8, 1, 4, 7)
        return cells.reshape(-1, channels * times * self.patch**2)


def _pixel_values(channels: tuple[float, float, float], device: torch.device) -> torch.Tensor:
    """Scale values in [0, 1] to [0, 255], (3), created on the device to avoid a copy."""
    return torch.cat([torch.full((1,), 255 * value, device=device) for value in channels])


def geometry_of(checkpoint: Checkpoint) -> Geometry:
    """Return the geometry of a checkpoint that reads videos in pairs of frames; else ModelError."""
    vision: Any = getattr(checkpoint.model.config, 'vision_config', None)
    if getattr(vision, 'temporal_patch_size', None) != 2:
        raise ModelError(
            f'{checkpoint.name} is a {checkpoint.family}, which does not read a video in pairs of '
            'frames; expected a model of the Qwen2-VL, Qwen2.5-VL or Qwen3-VL families'
        )
    file = checkpoint.folder / 'video_preprocessor_config.json'
    config = _content(file)
    norm = _normalization(file, config)
    options = checkpoint.options
    # A model made for smaller frames than the published ones is never given larger ones, and one
    # that was trained on frames of some fit is given no others.
    clip_pixels = _pixels_per_clip(file, config)
    own = clip_pixels[1] // CLIP_FRAMES
    max_pixels = min(options.max_pixels, own) if own < DEFAULT_MAX_PIXELS else options.max_pixels
    frame_fit = _own_fit(file, config) or options.frame_fit
    return Geometry(
        vision.patch_size,
        vision.spatial_merge_size,
        *norm,
        max_pixels,
        frame_fit,
        clip_pixels,
    )


def _content(file: Path) -> dict[str, Any]:
    """Read a configuration of the processor; empty where there is none."""
    return read_object(file) if file.is_file() else {}


def _normalization(
    file: Path, config: dict[str, Any]
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Return mean and deviation of pixels of the processor of videos, or images, or Qwen3-VL."""
    keys = ('image_mean', 'image_std')
    if not all(key in config for key in keys):
        file = file.with_name('preprocessor_config.json')
        config = _content(file)
        if not all(key in config for key in keys):
            return (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
    mean, std = (_three(config[key]) for key in keys)
    if mean is None or std is None or not all(std):
        raise ModelError(
            f'{file} is damaged: expected three numbers as image_mean, and three above 0 as '
            'image_std'
        )
    return mean, std


def _pixels_per_clip(file: Path, config: dict[str, Any]) -> tuple[int, int]:
    """Return the limits of a clip's pixels in the processor's configuration, else Qwen3-VL's."""
    least, most = Geometry.clip_pixels
    size = config.get('size') or {}
    if isinstance(size, dict):
        least, most = size.get('shortest_edge') or least, size.get('longest_edge') or most
        if all(type(each) is int and each > 0 for each in (least, most)) and most >= CLIP_FRAMES:
            return least, most
    raise ModelError(f'{file} is damaged: size is {size!r:.100}; expected a longest_edge')


def _own_fit(file: Path, config: dict[str, Any]) -> str:
    """Return the frame fit that a model was trained with; empty where it does not tell."""
    frame_fit = config.get('frame_fit', '')
    if frame_fit not in ('', *FRAME_FITS):
        raise ModelError(
            f'{file} is damaged: frame_fit is {frame_fit!r:.100}; expected one of '
            f'{", ".join(FRAME_FITS)}'
        )
    return str(frame_fit)


def _three(values: Any) -> tuple[float, float, float] | None:
    """Return three finite numbers that are not below 0, or None."""
    numbers = values if isinstance(values, list) else []
    if len(numbers) != 3 or not all(type(n) in (int, float) and 0 <= n < 1e6 for n in numbers):
        return None
    return float(numbers[0]), float(numbers[1]), float(numbers[2])
