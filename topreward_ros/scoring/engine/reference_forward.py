# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Transformers' own forward over a whole prompt with pictures, for references."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from .full_precision import full_precision
from .prompt import Segment
from .qwen3_vl import Engine
from .transformers_versions import position_inputs
from .video import stacked


def run_whole(
    engine: Engine, prompt: Sequence[Segment], image_pad: int, *, use_cache: bool = False
) -> Any:
    """Run a prompt whose pictures are of one size; return the model's output.

    Of the segments only token ids and blocks are used: positions and masks are the model's own.
    """
    model, device = engine.model.model, engine.device
    ids = torch.tensor([[each for segment in prompt for each in segment.ids]], device=device)
    frames = stacked([segment.block for segment in prompt if segment.block is not None]).to(device)
    rows, columns = (side // engine.geometry.patch for side in frames.shape[2:4])
    with full_precision():
        return model(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            pixel_values=engine.geometry.patches(frames),
            image_grid_thw=torch.tensor([[1, rows, columns]] * len(frames), device=device),
            use_cache=use_cache,
            **position_inputs(model, ids, image_pad, is_video=False),
        )
