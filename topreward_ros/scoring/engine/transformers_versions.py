# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Differences between the supported versions of transformers (4.57 to 5.x)."""

from __future__ import annotations

import inspect
from typing import Any

import torch


def only_hidden(output: Any) -> torch.Tensor:
    """Return the hidden states of an MLP's output, without the router logits of some versions."""
    return output[0] if isinstance(output, tuple) else output


def position_inputs(
    model: torch.nn.Module, ids: torch.Tensor, pad: int, *, is_video: bool = True
) -> dict[str, Any]:
    """Return the inputs, besides ids (1, n), from which the model computes MRoPE positions.

    pad is the token of videos, or of images. 5.x reads the modality of each token (0 text, 1 image,
    2 video), 4.x searches for the pad token.
    """
    if 'mm_token_type_ids' in inspect.signature(model.forward).parameters:
        return {'mm_token_type_ids': (ids == pad).int() * (2 if is_video else 1)}
    return {}
