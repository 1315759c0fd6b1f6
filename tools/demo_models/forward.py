# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The forward of the demo's models with gradients, for training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from transformers import AttentionInterface

from topreward_ros.scoring.engine.geometry import Geometry
from topreward_ros.scoring.engine.vision_tower import VisionTower

POINTING_LAYER = 2  # its output is read by the pointing head; later layers compute the answer
Attend = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


def causal(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Attend to all tokens before; inputs (sequences, heads, n, size)."""
    return F.scaled_dot_product_attention(query, key, value, is_causal=True, enable_gqa=True)


class GradientModel:
    """A Qwen3-VL whose attention is chosen for each batch."""

    def __init__(self, model: Any, geometry: Geometry) -> None:
        self.model = model
        self.geometry = geometry
        self.vision = VisionTower(model.model.visual)
        # Hidden states after POINTING_LAYER of the last forward, (sequences, n, hidden)
        self.middle = torch.empty(0)
        self._attention: Attend = causal
        language_model = model.model.language_model
        language_model.layers[POINTING_LAYER].register_forward_hook(self._store_output)
        AttentionInterface.register('chosen', self._attend)  # transformers makes no mask for it
        language_model.config._attn_implementation = 'chosen'
        type(language_model.norm).forward = _norm
        for layers in (model.model.visual, language_model):
            for module in layers.modules():
                if isinstance(module, torch.nn.Linear):
                    module.forward = partial(_linear, module)

    def _attend(
        self,
        _module: Any,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        *_: Any,
        **__: Any,
    ) -> tuple[torch.Tensor, None]:
        return self._attention(query, key, value).transpose(1, 2), None

    def _store_output(self, _layer: Any, _inputs: Any, output: Any) -> None:
        self.middle = output[0] if isinstance(output, tuple) else output

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
        attention: Attend = causal,
    ) -> torch.Tensor:
        """Return the last hidden states (sequences, n, hidden).

        ids (sequences, n); positions (3, sequences, n); visual: boolean (sequences, n), True at the
        tokens that take the features, each of which is (visual tokens, hidden), in their order.
        """
        model = self.model.model
        embeds = model.get_input_embeddings()(ids)
        embeds = embeds.masked_scatter(visual[..., None], features[0])
        order = torch.arange(ids.shape[1]).expand(1, *ids.shape)
        self._attention = attention
        hidden: torch.Tensor = model.language_model(
            inputs_embeds=embeds,
            position_ids=torch.cat([order, positions]),
            use_cache=False,
            visual_pos_masks=visual,
            deepstack_visual_embeds=list(features[1:]),
        ).last_hidden_state
        return hidden


def _norm(norm: Any, hidden: torch.Tensor) -> torch.Tensor:
    """Replace Qwen3-VL's norm of five operations by one, with the same result."""
    return F.rms_norm(hidden, norm.weight.shape, norm.weight, norm.variance_epsilon)


def _linear(module: torch.nn.Linear, values: torch.Tensor) -> torch.Tensor:
    """Multiply in bfloat16, in half the time of float32 where a processor can; the rest stays."""
    weight, bias = module.weight.bfloat16(), module.bias
    product = F.linear(values.bfloat16(), weight).float()
    return product if bias is None else product + bias
