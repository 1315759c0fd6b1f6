# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Rotary position embedding of queries and keys."""

from __future__ import annotations

import torch

# Cosine and signed sine, broadcast to queries and keys
RotaryEmbedding = tuple[torch.Tensor, torch.Tensor]


def signed(sine: torch.Tensor) -> torch.Tensor:
    """Return the sine (..., head_dim) with its first half negated, as `apply_rotary` takes it."""
    first, second = sine.chunk(2, dim=-1)
    return torch.cat([-first, second], dim=-1)


def apply_rotary(states: torch.Tensor, rotary: RotaryEmbedding) -> torch.Tensor:
    """Rotate queries or keys (..., head_dim) in float32; the two halves of head_dim are paired."""
    cosine, signed_sine = rotary
    values = states.float()
    exchanged = values.roll(values.shape[-1] // 2, dims=-1)
    return torch.addcmul(values * cosine, exchanged, signed_sine).to(states.dtype)
