# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The vision tower of a Qwen3-VL, run for many pairs of frames of one size at once.

The modules and their weights are the model's own; what is left out is everything that asks the
device a question: where the patches are depends on the size alone and is worked out once.
Attention stays within a pair, as in the original.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

from .rotary import Rotation, rotate

ROPE_THETA = 10_000.0  # where the configuration names no other


@dataclass(frozen=True)
class Features:
    """Tokens (n, hidden) of the language model, and what DeepStack adds in its first layers."""

    tokens: torch.Tensor
    deepstack: tuple[torch.Tensor, ...]


class VisionTower:
    """Turns patches into tokens."""

    def __init__(self, visual: Any) -> None:
        self._visual = visual
        self._merge = int(visual.spatial_merge_size)
        self._merged_at = list(visual.deepstack_visual_indexes)
        self._places: dict[tuple[int, int], tuple[torch.Tensor, Rotation]] = {}

    def __call__(self, patches: torch.Tensor, rows: int, columns: int) -> Features:
        """Features of pairs of rows x columns patches, (pairs * rows * columns, values)."""
        visual = self._visual
        embed = visual.patch_embed.proj  # a convolution that never overlaps: a product is quicker
        weight = embed.weight.flatten(1)
        hidden = F.linear(patches.to(weight.dtype), weight, embed.bias)
        places, rotation = self.place(rows, columns)
        hidden = hidden.view(-1, rows * columns, hidden.shape[-1]) + places
        deepstack = []
        for k, block in enumerate(visual.blocks):
            hidden = hidden + _attend(block.attn, block.norm1(hidden), rotation)
            hidden = hidden + block.mlp(block.norm2(hidden))
            if k in self._merged_at:
                merger = visual.deepstack_merger_list[self._merged_at.index(k)]
                deepstack.append(merger(hidden.flatten(0, 1)))
        return Features(visual.merger(hidden.flatten(0, 1)), tuple(deepstack))

    def place(self, rows: int, columns: int) -> tuple[torch.Tensor, Rotation]:
        """Learned places (rows * columns, hidden) and rotations for a grid of patches."""
        if torch.is_grad_enabled():  # while it learns, the places are not to be kept
            return self._learned(rows, columns), self._turned(rows, columns)
        if (rows, columns) not in self._places:
            self._places[rows, columns] = self._learned(rows, columns), self._turned(rows, columns)
        return self._places[rows, columns]

    def _learned(self, rows: int, columns: int) -> torch.Tensor:
        weight = self._visual.pos_embed.weight
        side = round(len(weight) ** 0.5)
        square = weight.float().T.reshape(1, -1, side, side)
        fitted = F.interpolate(square, (rows, columns), mode='bilinear', align_corners=True)
        return self._merged_order(fitted[0].permute(1, 2, 0)).to(weight.dtype)

    def _turned(self, rows: int, columns: int) -> Rotation:
        attention = self._visual.blocks[0].attn
        quarter = attention.qkv.out_features // 3 // attention.num_heads // 4
        device = self._visual.pos_embed.weight.device
        config = self._visual.config
        theta = (getattr(config, 'rope_parameters', None) or {}).get('rope_theta', ROPE_THETA)
        speeds = theta ** -(torch.arange(quarter, device=device) / quarter)
        row, column = torch.meshgrid(
            torch.arange(rows, device=device), torch.arange(columns, device=device), indexing='ij'
        )
        angles = torch.cat([place[..., None] * speeds for place in (row, column)], dim=-1)
        angles = self._merged_order(angles).repeat(1, 2)[:, None]
        return angles.cos(), angles.sin()

    def _merged_order(self, grid: torch.Tensor) -> torch.Tensor:
        """(rows, columns, size) as (rows * columns, size), patches that are merged together."""
        rows, columns, size = grid.shape
        cells = grid.view(rows // self._merge, self._merge, columns // self._merge, -1, size)
        return cells.transpose(1, 2).reshape(-1, size)


def _attend(attention: Any, hidden: torch.Tensor, rotation: Rotation) -> torch.Tensor:
    """Attention among the patches of a pair, (pairs, patches, hidden)."""
    pairs, patches, _ = hidden.shape
    heads = attention.qkv(hidden).view(pairs, patches, 3, attention.num_heads, -1)
    query, key, value = heads.unbind(2)
    query, key = rotate(query, rotation), rotate(key, rotation)
    mixed = F.scaled_dot_product_attention(
        query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2)
    )
    return torch.as_tensor(attention.proj(mixed.transpose(1, 2).reshape(pairs, patches, -1)))
