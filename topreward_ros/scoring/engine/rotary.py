# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Rotary positions: a query or key is turned by angles that tell where its token stands."""

from __future__ import annotations

import torch

Rotation = tuple[torch.Tensor, torch.Tensor]  # cosine and sine, broadcast to what is turned


def rotate(values: torch.Tensor, rotation: Rotation) -> torch.Tensor:
    """Turn (..., size) in float32; the second half of the size pairs with the first."""
    cosine, sine = rotation
    first, second = values.float().chunk(2, dim=-1)
    turned = values.float() * cosine + torch.cat([-second, first], dim=-1) * sine
    return turned.to(values.dtype)
