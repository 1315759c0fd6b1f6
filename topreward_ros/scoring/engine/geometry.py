# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How frames are sized and cut into patches, from a checkpoint's configuration."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from topreward_ros.errors import ModelError

from ..frames import CLIP_FRAMES, DEFAULT_MAX_PIXELS
from ..loading.checkpoint import Checkpoint


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


def geometry_of(checkpoint: Checkpoint) -> Geometry:
    """The geometry of a checkpoint that reads a video in pairs of frames; else ModelError."""
    vision: Any = getattr(checkpoint.model.config, 'vision_config', None)
    if getattr(vision, 'temporal_patch_size', None) != 2:
        raise ModelError(
            f'{checkpoint.name} is a {checkpoint.family}, which does not read a video in pairs of '
            'frames; expected a model of the Qwen2-VL, Qwen2.5-VL or Qwen3-VL families'
        )
    norm = _normalization(checkpoint.folder)
    # One that was made for smaller frames than the published models is not given larger ones.
    own = _pixels_per_clip(checkpoint.folder) // CLIP_FRAMES
    max_pixels = checkpoint.options.max_pixels
    max_pixels = min(max_pixels, own) if own < DEFAULT_MAX_PIXELS else max_pixels
    return Geometry(vision.patch_size, vision.spatial_merge_size, *norm, max_pixels)


def _normalization(folder: Path) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Mean and deviation of pixels from the processor's configuration; Qwen3-VL's by default."""
    for name in ('video_preprocessor_config.json', 'preprocessor_config.json'):
        if (folder / name).is_file():
            config = json.loads((folder / name).read_text(encoding='utf-8'))
            if 'image_mean' in config and 'image_std' in config:
                mean, std = config['image_mean'], config['image_std']
                return (mean[0], mean[1], mean[2]), (std[0], std[1], std[2])
    return (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)


def _pixels_per_clip(folder: Path) -> int:
    """What the processor's configuration allows a whole clip [px]; Qwen3-VL's by default."""
    default = DEFAULT_MAX_PIXELS * CLIP_FRAMES
    file = folder / 'video_preprocessor_config.json'
    if not file.is_file():
        return default
    size = json.loads(file.read_text(encoding='utf-8')).get('size') or {}
    return int(size.get('longest_edge') or default)
