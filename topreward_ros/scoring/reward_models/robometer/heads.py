# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Robometer's heads: progress in bins, and success, from a hidden state."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F

from topreward_ros.errors import ModelError

from ...loading.weight_names import ROBOMETER_HEADS, weight_names

# Of training, or of pairs of recordings
UNUSED = ('preference_head', 'similarity_head', 'frame_pool_attn')
# Modules in nn.Sequential: Linear, LayerNorm, GELU, Dropout, Linear
WEIGHTS = ('0.weight', '0.bias', '1.weight', '1.bias', '4.weight', '4.bias')


class ValueHeads:
    """Progress [0, 1] and the probability of success of hidden states."""

    def __init__(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """tensors: by name, as `read_heads` returns them."""
        self._heads = {
            name: [tensors[f'{name}.{each}'] for each in WEIGHTS] for name in ROBOMETER_HEADS
        }
        self.bins = len(tensors['progress_head.4.weight'])

    def __call__(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return progress and success of hidden states (n, hidden), float32 (n, 2).

        Progress is the mean of the bins' centres, from 0 to 1, weighted by their probabilities.
        The result is on the device.
        """
        logits, odds = self.logits(hidden)
        centres = torch.linspace(0, 1, self.bins, device=logits.device)
        progress = (logits.softmax(dim=-1) * centres).sum(dim=-1).clamp(max=1)
        return torch.stack([progress, odds.sigmoid()], dim=1)

    def logits(self, hidden: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the bins' logits (n, bins) and the log-odds of success (n) [nat], float32."""
        progress = _apply(self._heads['progress_head'], hidden).float()
        return progress, _apply(self._heads['success_head'], hidden).float()[:, 0]


def _apply(head: list[torch.Tensor], hidden: torch.Tensor) -> torch.Tensor:
    first, first_bias, scale, shift, last, last_bias = head
    values = F.linear(hidden.to(first.dtype), first, first_bias)
    values = F.gelu(F.layer_norm(values, scale.shape, scale, shift))
    return F.linear(values, last, last_bias)


def read_heads(
    folder: Path, hidden: int, dtype: torch.dtype, device: torch.device
) -> dict[str, torch.Tensor]:
    """Read the heads for hidden states of this size; ModelError for what is missing or misfits."""
    from safetensors import safe_open

    tensors: dict[str, torch.Tensor] = {}
    for file, name in weight_names(folder):
        if name.startswith(ROBOMETER_HEADS):
            with safe_open(file, 'pt') as content:
                tensors[name] = content.get_tensor(name).to(device, dtype)
    inner = hidden // 2
    bins = len(tensors.get('progress_head.4.weight', torch.empty(2, 0)))
    for head, outputs in (('progress_head', max(2, bins)), ('success_head', 1)):
        shapes = [(inner, hidden), (inner,), (inner,), (inner,), (outputs, inner), (outputs,)]
        for part, shape in zip(WEIGHTS, shapes, strict=True):
            name = f'{head}.{part}'
            if name not in tensors:
                raise ModelError(f'{folder} lacks {name}: expected the heads of a Robometer')
            if tuple(tensors[name].shape) != shape:
                raise ModelError(
                    f'{folder}: {name} has the shape {tuple(tensors[name].shape)}; the model needs '
                    f'{shape}: the head belongs to another model'
                )
    return tensors


def embedding_rows(folder: Path) -> tuple[int, str]:
    """Return the rows of the token embeddings, and their name; ModelError where there are none."""
    from safetensors import safe_open

    for file, name in weight_names(folder):
        if name.endswith('language_model.embed_tokens.weight'):
            with safe_open(file, 'pt') as content:
                return int(content.get_slice(name).get_shape()[0]), name
    raise ModelError(f'{folder} has no token embeddings: the copy is incomplete')
