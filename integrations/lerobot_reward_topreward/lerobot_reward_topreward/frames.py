# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A batch of LeRobot's as episodes: frames and a task each; imports no LeRobot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from topreward_ros.errors import FrameError, TaskError

EXPECTED = '(B, C, H, W) or (B, T, C, H, W), RGB, channels first or last'
PAD = '_is_pad'  # of the key that tells which frames LeRobot repeated where an episode has none


def episodes_of(
    batch: Mapping[str, Any], image_key: str, max_frames: int | None = None
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield of each sample how many frames are left out before, and its frames, uint8 (T, H, W, 3).

    The images are uint8, or floats in [0, 1], (B, C, H, W) or (B, T, C, H, W) in RGB; channels last
    are accepted, too. Frames that `<image_key>_is_pad`, bool (B, T), marks as padding do not count;
    of the others the newest max_frames are taken. Raises FrameError for other images.
    """
    videos = videos_of(batch, image_key)
    for video, real in zip(videos, real_frames(batch, image_key, videos), strict=True):
        left_out = 0 if max_frames is None else max(0, int(real.sum()) - max_frames)
        yield left_out, as_uint8(video[real][left_out:], image_key)


def real_frames(batch: Mapping[str, Any], image_key: str, videos: Tensor) -> Tensor:
    """Return which frames of videos (B, T, ...) are no padding, bool (B, T), one at least in each.

    Raises FrameError where `<image_key>_is_pad` does not fit the images.
    """
    key, shape = image_key + PAD, videos.shape[:2]
    if key not in batch:
        return torch.ones(shape, dtype=torch.bool)
    real = ~torch.as_tensor(batch[key]).to(device='cpu', dtype=torch.bool)
    if real.shape == shape[:1]:
        real = real[:, None]
    if real.shape != shape:
        raise FrameError(
            f'{key} has shape {tuple(real.shape)}; expected {tuple(shape)}, one value per frame'
        )
    if not bool(real.any(dim=1).all()):
        raise FrameError(f'a sample of {image_key} has no frames: {key} marks all of them')
    return real


def videos_of(batch: Mapping[str, Any], image_key: str) -> Tensor:
    """Return the images of a batch, (B, T, H, W, 3), of their own dtype; FrameError for others."""
    if image_key not in batch:
        known = ', '.join(sorted(key for key in batch if 'image' in key)) or 'none'
        raise FrameError(
            f'the batch has no {image_key!r}; its images are: {known}. Set image_key to one of them'
        )
    images = batch[image_key]
    if not isinstance(images, Tensor | np.ndarray):
        raise FrameError(f'{image_key} is {type(images).__name__}; expected a tensor {EXPECTED}')
    images = torch.as_tensor(images).detach()
    if images.dtype != torch.uint8 and not images.is_floating_point():
        raise FrameError(f'{image_key} is {images.dtype}; expected uint8, or floats in [0, 1]')
    if images.ndim == 4:
        images = images.unsqueeze(1)
    if images.ndim != 5 or 0 in images.shape[1:]:
        raise FrameError(f'{image_key} has shape {tuple(images.shape)}; expected {EXPECTED}')
    if images.shape[2] == 3:
        return images.permute(0, 1, 3, 4, 2)
    if images.shape[4] == 3:
        return images
    raise FrameError(f'{image_key} has shape {tuple(images.shape)}; expected {EXPECTED}')


def as_uint8(images: Tensor, name: str = 'the images') -> np.ndarray:
    """Return images as uint8 on the CPU, of the same shape.

    Floats in [0, 1] are multiplied by 255 and rounded, so that pictures that were divided by 255
    come back exactly. Raises FrameError for other floats.
    """
    images = images.cpu()
    if images.dtype != torch.uint8:
        images = images.float()
        low, high = (float(each) for each in torch.aminmax(images))
        if not (low >= 0 and high <= 1):  # NaN is neither
            raise FrameError(
                f'{name} has values from {low:g} to {high:g}; expected uint8, or floats in [0, 1]: '
                'pictures as they are, without a normalization (VISUAL: IDENTITY)'
            )
        images = (images * 255).round().to(torch.uint8)
    return np.ascontiguousarray(images.numpy())


def tasks_of(
    batch: Mapping[str, Any], task_key: str, count: int, default: str | None = None
) -> list[str]:
    """Return the task of each of `count` samples; a single one is that of all.

    default is taken where the batch has none. Raises TaskError for anything else.
    """
    task = batch.get(task_key)
    if task is None:
        task = default
    if task is None:
        raise TaskError(f'the batch has no {task_key!r}: add the task text, or set default_task')
    tasks = [task] if isinstance(task, str) else task
    if not isinstance(tasks, list | tuple) or not all(isinstance(text, str) for text in tasks):
        raise TaskError(
            f'{task_key} is {str(task)[:60]!r} ({type(task).__name__}); expected a text, or a list '
            'of texts'
        )
    if len(tasks) not in (1, count):
        raise TaskError(f'{task_key} has {len(tasks)} texts; expected {count}, one per sample')
    return list(tasks) * count if len(tasks) == 1 else list(tasks)
