# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Everything in which the supported versions of transformers (4.57 to 5.x) differ."""

from __future__ import annotations

import inspect
from typing import Any

import torch


def only_hidden(output: Any) -> torch.Tensor:
    """What a feed-forward block returns, without what routes tokens to experts in some versions."""
    return output[0] if isinstance(output, tuple) else output


def position_inputs(model: torch.nn.Module, ids: torch.Tensor, video_pad: int) -> dict[str, Any]:
    """What the model wants besides the ids (1, n) to place video tokens by itself.

    5.x reads the modality of each token (0 text, 2 video), 4.x looks for the pad token.
    """
    if 'mm_token_type_ids' in inspect.signature(model.forward).parameters:
        return {'mm_token_type_ids': (ids == video_pad).int() * 2}
    return {}
