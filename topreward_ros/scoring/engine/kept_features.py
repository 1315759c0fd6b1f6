# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the vision tower made of frames, kept for prompts that are run anew with the same frames."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from .qwen3_vl import Engine
from .video import Block
from .vision_tower import Features

Shown = Block | Features


def as_it_is(block: Block) -> Shown:
    """Show a block itself, which is then encoded in the forward that runs it."""
    return block


class KeptFeatures:
    """Features of blocks on the device, each encoded once; empty and unused until it `begin`s.

    A frame is in at most two pairs, as they shift by one frame when the oldest is dropped, and
    doubled while it has no partner.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._is_used = False
        # By the identities of both frames, which the block keeps alive
        self._encoded: dict[tuple[int, int], tuple[Block, Features]] = {}

    def begin(self) -> None:
        """Encode blocks from now on, and keep their features."""
        self._is_used = True

    def show(self, block: Block) -> Shown:
        """Return the features of a block, or before `begin` the block itself."""
        if not self._is_used:
            return block
        key = _key(block)
        if key not in self._encoded:
            self._encoded[key] = block, self._engine.encode(block)
        return self._encoded[key][1]

    def keep(self, frames: Iterable[torch.Tensor]) -> None:
        """Drop the features of blocks with any other frame."""
        kept = {id(frame) for frame in frames}
        self._encoded = {key: each for key, each in self._encoded.items() if kept.issuperset(key)}

    def clear(self) -> None:
        """Drop all features."""
        self._encoded = {}

    def __len__(self) -> int:
        return len(self._encoded)


def _key(block: Block) -> tuple[int, int]:
    first, second = block.frames
    return id(first), id(second)
