# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Rotary position embedding of queries and keys."""

from __future__ import annotations

import torch

RotaryEmbedding = tuple[torch.Tensor, torch.Tensor]  # cosine and sine, broadcast to queries, keys


def apply_rotary(states: torch.Tensor, rotary: RotaryEmbedding) -> torch.Tensor:
    """Rotate queries or keys (..., head_dim) in float32; the two halves of head_dim are paired."""
    cosine, sine = rotary
    first, second = states.float().chunk(2, dim=-1)
    rotated = states.float() * cosine + torch.cat([-second, first], dim=-1) * sine
    return rotated.to(states.dtype)
