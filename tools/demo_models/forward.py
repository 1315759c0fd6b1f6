# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The forward of the demo's models with gradients, for training on a processor.

Products are in bfloat16, which takes half the time of float32 where a processor can; the states
between layers, the sums of norms and the weights are float32. Small operations are compiled, as one
by one they take a sixth of the time; where there is no C++ compiler, TORCH_COMPILE_DISABLE=1 leaves
them as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F

from topreward_ros.scoring.engine.decoder_layer import rms_norm
from topreward_ros.scoring.engine.geometry import Geometry
from topreward_ros.scoring.engine.rotary import RotaryEmbedding, apply_rotary, signed
from topreward_ros.scoring.engine.vision_tower import Attention, VisionTower

from .attention import causal, full

POINTING_LAYER = 2  # its output is read by the pointing head; later layers compute the answer
Read = tuple[torch.Tensor, torch.Tensor]  # indices of sequences and of their tokens


class GradientModel:
    """A Qwen3-VL whose attention is chosen for each batch."""

    def __init__(self, model: Any, geometry: Geometry) -> None:
        self.model = model
        self.geometry = geometry
        self.vision = VisionTower(model.model.visual, full)
        # Hidden states after POINTING_LAYER of the last forward, (sequences, n, hidden)
        self.middle = torch.empty(0)
        for module in model.model.visual.modules():
            if isinstance(module, torch.nn.Linear):
                module.forward = partial(_linear, module)

    def encode(self, pairs: torch.Tensor) -> list[torch.Tensor]:
        """Return the vision tower's tokens and DeepStack features of uint8 (n, 2, H, W, 3).

        Each (n, tokens, hidden).
        """
        count, (height, width) = len(pairs), pairs.shape[2:4]
        patch = self.geometry.patch
        features = self.vision(self.geometry.patches(pairs), height // patch, width // patch)
        parts = (features.tokens, *features.deepstack)
        return [part.view(count, -1, part.shape[-1]) for part in parts]

    def run(
        self,
        ids: torch.Tensor,
        positions: torch.Tensor,
        visual: torch.Tensor,
        features: Sequence[torch.Tensor],
        *,
        read: Read,
        attend: Attention = causal,
    ) -> torch.Tensor:
        """Return the last hidden states of the tokens to read, (*shape of an index, hidden).

        ids (sequences, n); positions (3, sequences, n); visual: boolean (sequences, n), True at the
        tokens that take the features, each of which is (visual tokens, hidden), in their order.
        """
        language_model = self.model.model.language_model
        tokens, *deepstack = features
        shown = visual[..., None]
        hidden = language_model.embed_tokens(ids).masked_scatter(shown, tokens)
        cosine, sine = language_model.rotary_emb(hidden, positions)
        rotary = cosine[:, :, None], signed(sine)[:, :, None]
        for k, layer in enumerate(language_model.layers):
            attended = _attended(layer, hidden, rotary, attend)
            if k + 1 == len(language_model.layers):
                hidden, attended = hidden[read], attended[read]
            hidden = _after_attention(layer, hidden, attended)
            if k < len(deepstack):
                hidden = hidden + torch.zeros_like(hidden).masked_scatter(shown, deepstack[k])
            if k == POINTING_LAYER:
                self.middle = hidden
        return rms_norm(language_model.norm, hidden)


def _attended(
    layer: Any, hidden: torch.Tensor, rotary: RotaryEmbedding, attend: Attention
) -> torch.Tensor:
    """Return the self-attention of states (sequences, n, hidden), before its output matrix."""
    attention, norm = layer.self_attn, layer.input_layernorm
    normed = _normed(hidden, norm.weight, norm.variance_epsilon)
    matrices = [attention.q_proj, attention.k_proj, attention.v_proj]
    weight = torch.cat([matrix.weight for matrix in matrices]).bfloat16()
    heads = F.linear(normed, weight).unflatten(-1, (-1, attention.head_dim))
    counts = [matrix.out_features // attention.head_dim for matrix in matrices]
    query, key, value = heads.split(counts, dim=2)
    query, key = (
        _rotated(part, norm.weight, *rotary, norm.variance_epsilon)
        for part, norm in ((query, attention.q_norm), (key, attention.k_norm))
    )
    query, key, value = (part.transpose(1, 2) for part in (query, key, value))
    return attend(query, key, value).transpose(1, 2).flatten(2)


def _after_attention(layer: Any, hidden: torch.Tensor, attended: torch.Tensor) -> torch.Tensor:
    """Return the states after a layer's output matrix and multilayer perceptron."""
    norm, mlp = layer.post_attention_layernorm, layer.mlp
    added = F.linear(attended, layer.self_attn.o_proj.weight.bfloat16())
    hidden, normed = _added(hidden, added, norm.weight, norm.variance_epsilon)
    weight = torch.cat([mlp.gate_proj.weight, mlp.up_proj.weight]).bfloat16()
    return hidden + F.linear(_gated(F.linear(normed, weight)), mlp.down_proj.weight.bfloat16())


@torch.compile(dynamic=True)
def _normed(hidden: torch.Tensor, weight: torch.Tensor, epsilon: float) -> torch.Tensor:
    return F.rms_norm(hidden, weight.shape, weight, epsilon).bfloat16()


@torch.compile(dynamic=True)
def _added(
    hidden: torch.Tensor, added: torch.Tensor, weight: torch.Tensor, epsilon: float
) -> tuple[torch.Tensor, torch.Tensor]:
    hidden = hidden + added
    return hidden, F.rms_norm(hidden, weight.shape, weight, epsilon).bfloat16()


@torch.compile(dynamic=True)
def _rotated(
    heads: torch.Tensor,
    weight: torch.Tensor,
    cosine: torch.Tensor,
    signed_sine: torch.Tensor,
    epsilon: float,
) -> torch.Tensor:
    normed = F.rms_norm(heads.float(), weight.shape, weight, epsilon)
    return apply_rotary(normed, (cosine, signed_sine)).bfloat16()


@torch.compile(dynamic=True)
def _gated(both: torch.Tensor) -> torch.Tensor:
    gate, up = both.chunk(2, dim=-1)
    return F.silu(gate) * up


def _linear(module: torch.nn.Linear, values: torch.Tensor) -> torch.Tensor:
    """Replace a matrix of the vision tower by one in bfloat16."""
    product = F.linear(values.bfloat16(), module.weight.bfloat16()).float()
    return product if module.bias is None else product + module.bias
