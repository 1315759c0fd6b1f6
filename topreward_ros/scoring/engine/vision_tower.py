# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The vision tower of a Qwen3-VL, run on a batch of frame pairs of one size.

Modules and weights are the model's own. Operations that synchronise with the device are left out:
position embeddings depend on the size alone and are computed once per size. Attention stays within
a pair, as in the original.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

from .fused import fused
from .rotary import RotaryEmbedding, apply_rotary, signed

ROPE_THETA = 10_000.0  # default where the configuration has none
Attention = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Features:
    """Video tokens (n, hidden) for the language model, and DeepStack features of its layers."""

    tokens: torch.Tensor
    deepstack: tuple[torch.Tensor, ...]

    @classmethod
    def joined(cls, several: Sequence[Features]) -> Features:
        """Return the features of several blocks as those of one forward over them."""
        layers = zip(*(each.deepstack for each in several), strict=True)
        tokens = torch.cat([each.tokens for each in several])
        return cls(tokens, tuple(torch.cat(layer) for layer in layers))


class VisionTower:
    """Encodes patches as tokens.

    attention: of queries, keys and values (pairs, heads, patches, size).
    """

    def __init__(self, visual: Any, attention: Attention = F.scaled_dot_product_attention) -> None:
        self._visual = visual
        self._attention = attention
        self._merge = int(visual.spatial_merge_size)
        self._deepstack_layers = list(visual.deepstack_visual_indexes)
        self._positions: dict[tuple[int, int], tuple[torch.Tensor, RotaryEmbedding]] = {}

    def __call__(self, patches: torch.Tensor, rows: int, columns: int) -> Features:
        """Return features of pairs of rows x columns patches, (pairs * rows * columns, values)."""
        visual = self._visual
        embed = visual.patch_embed.proj  # kernel and stride are equal: a matrix product is faster
        weight = embed.weight.flatten(1)
        hidden = F.linear(patches.to(weight.dtype), weight, embed.bias)
        learned, rotary = self.position_embeddings(rows, columns)
        hidden = hidden.view(-1, rows * columns, hidden.shape[-1]) + learned
        deepstack = []
        for k, block in enumerate(visual.blocks):
            attended, norm = self._attend(block.attn, block.norm1(hidden), rotary), block.norm2
            hidden, normed = added_and_normed(hidden, attended, norm.weight, norm.bias, norm.eps)
            hidden = hidden + block.mlp(normed)
            if k in self._deepstack_layers:
                merger = visual.deepstack_merger_list[self._deepstack_layers.index(k)]
                deepstack.append(merger(hidden.flatten(0, 1)))
        return Features(visual.merger(hidden.flatten(0, 1)), tuple(deepstack))

    def _attend(
        self, attention: Any, hidden: torch.Tensor, rotary: RotaryEmbedding
    ) -> torch.Tensor:
        """Self-attention within each pair; hidden states (pairs, patches, hidden)."""
        pairs, patches, _ = hidden.shape
        heads = attention.qkv(hidden).view(pairs, patches, 3, attention.num_heads, -1)
        query, key = rotated_pair(heads[:, :, :2], *rotary).unbind(2)
        each = (part.transpose(1, 2) for part in (query, key, heads[:, :, 2]))
        attn_out = self._attention(*each).transpose(1, 2)
        return torch.as_tensor(attention.proj(attn_out.reshape(pairs, patches, -1)))

    def position_embeddings(self, rows: int, columns: int) -> tuple[torch.Tensor, RotaryEmbedding]:
        """Return learned (rows * columns, hidden) and rotary position embeddings of a patch grid.

        They are cached by grid, except while gradients are enabled.
        """
        if torch.is_grad_enabled():
            return self._learned(rows, columns), self._rotary(rows, columns)
        if (rows, columns) not in self._positions:
            self._positions[rows, columns] = (
                self._learned(rows, columns),
                self._rotary(rows, columns),
            )
        return self._positions[rows, columns]

    def _learned(self, rows: int, columns: int) -> torch.Tensor:
        weight = self._visual.pos_embed.weight
        side = round(len(weight) ** 0.5)
        square = weight.float().T.reshape(1, -1, side, side)
        resized = F.interpolate(square, (rows, columns), mode='bilinear', align_corners=True)
        return self._merged_order(resized[0].permute(1, 2, 0)).to(weight.dtype)

    def _rotary(self, rows: int, columns: int) -> RotaryEmbedding:
        attention = self._visual.blocks[0].attn
        quarter = attention.qkv.out_features // 3 // attention.num_heads // 4
        device = self._visual.pos_embed.weight.device
        config = self._visual.config
        theta = (getattr(config, 'rope_parameters', None) or {}).get('rope_theta', ROPE_THETA)
        inv_freq = theta ** -(torch.arange(quarter, device=device) / quarter)
        row, column = torch.meshgrid(
            torch.arange(rows, device=device), torch.arange(columns, device=device), indexing='ij'
        )
        angles = torch.cat([axis[..., None] * inv_freq for axis in (row, column)], dim=-1)
        angles = self._merged_order(angles).repeat(1, 2)[:, None, None]
        return angles.cos(), signed(angles.sin())

    def _merged_order(self, grid: torch.Tensor) -> torch.Tensor:
        """Reorder (rows, columns, size) to (rows * columns, size), merged patches adjacent."""
        rows, columns, size = grid.shape
        cells = grid.view(rows // self._merge, self._merge, columns // self._merge, -1, size)
        return cells.transpose(1, 2).reshape(-1, size)


@fused(1, 1)
def added_and_normed(
    hidden: torch.Tensor,
    added: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor,
    epsilon: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the sum (pairs, patches, hidden), and its layer norm."""
    hidden = hidden + added
    return hidden, F.layer_norm(hidden, weight.shape, weight, bias, epsilon)


@fused(1, 0, 0)
def rotated_pair(
    heads: torch.Tensor, cosine: torch.Tensor, signed_sine: torch.Tensor
) -> torch.Tensor:
    """Return queries and keys (pairs, patches, 2, heads, size), rotated."""
    return apply_rotary(heads, (cosine, signed_sine))
