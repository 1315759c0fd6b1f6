# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The curve of a clip by the published implementations' own functions, on the loaded weights.

authors: github.com/TOPReward/TOPReward (bc61380, transformers 4.57.1), with its prefix cache: the
keys and values of full blocks stay in transformers' cache from prefix to prefix. lerobot: its
package (0.6.1, Python 3.12), every prefix from scratch. Both choose the prefixes themselves, and
resize frames as they do; where either would be another than here, they are not measured.
"""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any
from unittest import mock

import numpy as np
import torch

from benchmarks.models import FPS, TASK, frames
from benchmarks.published_recipe import LeRobotPackage
from topreward_ros.commands.score.published import PUBLISHED
from topreward_ros.scoring.engine.geometry import Geometry
from topreward_ros.scoring.frame_fits import PAPER_SIZE, PUBLISHED_LOADING
from topreward_ros.scoring.loading.checkpoint import Checkpoint


class PublishedCurve(ABC):
    """A function that scores evenly spaced prefixes of a clip."""

    name: str

    @abstractmethod
    def __init__(self, checkpoint: Checkpoint) -> None:
        """Raises ImportError or RuntimeError where its package cannot be imported."""

    @abstractmethod
    def scores(self, clip: list[np.ndarray], count: int) -> list[float]:
        """Return log P [nat] of `count` prefixes of a clip of FPS frames a second, about TASK."""

    def scores_the_same(
        self, clip: list[np.ndarray], prefixes: Sequence[int], geometry: Geometry
    ) -> bool:
        """Whether its prefixes of a clip, asked for as many, are these, and its frames as large."""
        own = PUBLISHED[self.name].prefixes(len(clip), FPS, FPS, len(prefixes))
        height, width = PAPER_SIZE if geometry.frame_fit == 'paper' else clip[0].shape[:2]
        sizes = {geometry.clip_size(length, height, width) for length in prefixes}
        return list(own.ends) == list(prefixes) and sizes == {geometry.fit_size(height, width)}


class AuthorsCurve(PublishedCurve):
    """The authors' client for Qwen3-VL, with its prefix cache."""

    name = 'authors'

    def __init__(self, checkpoint: Checkpoint) -> None:
        """Also raises RuntimeError where torchvision does not fit torch."""
        from topreward.clients import qwen
        from transformers import AutoProcessor

        qwen.logger.disable('topreward')  # a line for each prefix
        # Its __init__ loads weights onto a GPU
        self._client: Any = object.__new__(qwen.QwenClient)
        self._client.prefix_cache_enabled = True
        self._client.model = checkpoint.model
        self._client.processor = AutoProcessor.from_pretrained(
            checkpoint.folder, trust_remote_code=False, local_files_only=True
        )
        self._from_scratch = self._client.compute_instruction_reward
        self._client.compute_instruction_reward = self._first

    def scores(self, clip: list[np.ndarray], count: int) -> list[float]:
        """See `PublishedCurve`; raises RuntimeError where the cache cannot be used."""
        with _instead_of_cuda(self._client.model.device):
            result = self._client.compute_instruction_rewards_for_prefixes(
                clip, TASK, num_samples=count, fps=FPS
            )
        return list(result.prefix_rewards)

    def _first(self, **arguments: Any) -> Any:
        """Score a prefix from scratch, which they do with one frame, and after errors with more."""
        if len(arguments['raw_frame_indices']) > 1:
            raise RuntimeError('their prefix cache failed, and they begin without it')
        return self._from_scratch(**arguments)


class LeRobotCurve(PublishedCurve):
    """The function by which LeRobot writes a dataset's progress."""

    name = 'lerobot'

    def __init__(self, checkpoint: Checkpoint) -> None:
        from lerobot.rewards.topreward.compute_rabc_weights import (
            compute_instruction_rewards_for_prefixes,
        )

        self._sweep = compute_instruction_rewards_for_prefixes
        self._package = LeRobotPackage(checkpoint)

    def scores(self, clip: list[np.ndarray], count: int) -> list[float]:
        """See `PublishedCurve`; theirs returns progress, so log P is noted on the way."""
        model, encode = self._package.model, self._package.encode
        noted: list[float] = []
        reward = model.compute_reward

        def compute_reward(batch: dict[str, Any]) -> torch.Tensor:
            rewards: torch.Tensor = reward(batch)
            noted.append(float(rewards.item()))
            return rewards

        # As its datasets give them
        images = [torch.from_numpy(frame).permute(2, 0, 1).float() / 255 for frame in clip]
        with mock.patch.object(model, 'compute_reward', compute_reward):
            self._sweep(
                model=model,
                encoder=encode,
                dataset=[{encode.image_key: image} for image in images],
                ep_start=0,
                num_frames=len(clip),
                task=TASK,
                image_key=encode.image_key,
                num_samples=count,
                device=str(model.model.device),
            )
        return noted


CURVES: dict[str, type[PublishedCurve]] = {kind.name: kind for kind in (AuthorsCurve, LeRobotCurve)}


def published_curves(
    checkpoint: Checkpoint, geometry: Geometry, size: tuple[int, int]
) -> tuple[dict[str, PublishedCurve], dict[str, str]]:
    """Return the curves that can be measured here, by name, and why others are not.

    size: width and height [px] of the frames.
    """
    curves: dict[str, PublishedCurve] = {}
    missing: dict[str, str] = {}
    for name, kind in CURVES.items():
        frame_fit = PUBLISHED_LOADING[name]['frame_fit']
        if frame_fit != geometry.frame_fit and size != PAPER_SIZE:
            missing[name] = (
                f'not measured, its frames would be others: --frame-fit {frame_fit}, or '
                f'--size {PAPER_SIZE[1]}x{PAPER_SIZE[0]}'
            )
            continue
        try:
            curves[name] = kind(checkpoint)
            curves[name].scores(frames(4, *size), 4)  # all their branches; a warm-up, too
        except Exception as error:  # whatever it says to other versions of its libraries
            curves.pop(name, None)
            missing[name] = f'not measured ({type(error).__name__}: {error})'
    return curves, missing


@contextlib.contextmanager
def _instead_of_cuda(device: torch.device) -> Iterator[None]:
    """Move tensors to this device where the authors' code moves them to 'cuda'."""
    move: Any = torch.Tensor.to

    def there(to: Any) -> Any:
        return device if isinstance(to, str) and to == 'cuda' else to

    def moved(tensor: torch.Tensor, *where: Any, **options: Any) -> torch.Tensor:
        named = {key: there(value) for key, value in options.items()}
        return move(tensor, *map(there, where), **named)

    with contextlib.ExitStack() as stack:
        if device.type != 'cuda':
            stack.enter_context(mock.patch.object(torch.Tensor, 'to', moved))
        yield
