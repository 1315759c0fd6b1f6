# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Attention for training on a processor: batched products in bfloat16, with a short backward.

PyTorch's own takes twice the time there, as its products of bfloat16 are slow with few channels.
"""

from __future__ import annotations

from typing import Any

import torch

CHUNK = 96  # queries at a time: those of a chunk need no keys after it


class _Attention(torch.autograd.Function):
    """softmax(query key^T + bias) value, all bfloat16."""

    @staticmethod
    def forward(
        ctx: Any,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        bias: torch.Tensor,
    ) -> torch.Tensor:
        weights = torch.baddbmm(bias, query, key.transpose(1, 2)).softmax(-1)
        ctx.save_for_backward(query, key, value, weights)
        return weights @ value

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        query, key, value, weights = ctx.saved_tensors
        scores = torch._softmax_backward_data(
            gradient @ value.transpose(1, 2), weights, -1, weights.dtype
        )
        transposed = weights.transpose(1, 2)
        return scores @ key, scores.transpose(1, 2) @ query, transposed @ gradient, None


def bias_of(mask: torch.Tensor) -> torch.Tensor:
    """Return what is added to scores: -inf where a boolean mask (queries, keys) is False."""
    return torch.zeros(mask.shape, dtype=torch.bfloat16).masked_fill(~mask, float('-inf'))


def attend(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, bias: torch.Tensor
) -> torch.Tensor:
    """Attend with a bias (queries, keys) for all sequences.

    query (sequences, heads, queries, size); key, value (sequences, key heads, keys, size).
    """
    sequences, heads, queries, size = query.shape
    groups = key.shape[1]
    rows = (query * size**-0.5).reshape(sequences * groups, heads // groups * queries, size)
    columns = (part.reshape(sequences * groups, -1, size) for part in (key, value))
    attended = _Attention.apply(rows, *columns, bias.repeat(heads // groups, 1))
    return torch.as_tensor(attended).view(query.shape)


def full(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Attend to all tokens; float32 (sequences, heads, n, size)."""
    bias = torch.zeros(query.shape[2], key.shape[2], dtype=torch.bfloat16)
    return attend(query.bfloat16(), key.bfloat16(), value.bfloat16(), bias).float()


def causal(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Attend to all tokens before; inputs (sequences, heads, n, size)."""
    tokens = query.shape[2]
    parts = []
    for start in range(0, tokens, CHUNK):
        stop = min(start + CHUNK, tokens)
        known = key[:, :, :stop], value[:, :, :stop]
        mask = torch.ones(stop - start, stop, dtype=torch.bool).tril(start)
        parts.append(attend(query[:, :, start:stop], *known, bias_of(mask)))
    return torch.cat(parts, dim=2)
