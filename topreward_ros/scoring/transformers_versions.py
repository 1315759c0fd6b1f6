# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Everything in which the supported versions of transformers (4.57 to 5.x) differ."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from transformers import DynamicCache


def vision_features(
    visual: torch.nn.Module, patches: torch.Tensor, grid_thw: torch.Tensor
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """The vision tower's tokens (n, hidden) and its DeepStack features, each (n, hidden).

    4.x returns them as a tuple, 5.x as a named output.
    """
    output = visual(patches, grid_thw=grid_thw)
    if isinstance(output, tuple):
        return output[0], list(output[1])
    return output.pooler_output, list(output.deepstack_features)


def new_cache(text_config: Any) -> DynamicCache:
    return DynamicCache(config=text_config)


def cut_cache(cache: DynamicCache, count: int) -> None:
    """Drop the last `count` tokens: 4.x also takes a length to keep, 5.x only a negative count."""
    if count:
        cache.crop(-count)


def position_inputs(model: torch.nn.Module, ids: torch.Tensor, video_pad: int) -> dict[str, Any]:
    """What the model wants besides the ids (1, n) to place video tokens by itself.

    5.x reads the modality of each token (0 text, 2 video), 4.x looks for the pad token.
    """
    if 'mm_token_type_ids' in inspect.signature(model.forward).parameters:
        return {'mm_token_type_ids': (ids == video_pad).int() * 2}
    return {}
