# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The language model of a Qwen3-VL, layer by layer, with explicit cache, mask and output rows.

Modules and weights are the model's own, quantised or with a merged adapter. The forward never
synchronises with the device, and the last layer computes the requested rows only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ..loading.memory import release_memory
from .attention import Attention
from .decoder_layer import DecoderLayer
from .key_value_cache import CacheShape, CacheWriter
from .rotary import RotaryEmbedding, signed


@dataclass(frozen=True)
class Tokens:
    """Inputs of a forward, all on the model's device.

    ids (n); positions (3, n) on the MRoPE axes; visual (v), indices of the video tokens; rows (r),
    indices of the tokens whose last hidden states are returned; attention, to the tokens in the
    cache, which include the n new ones.
    """

    ids: torch.Tensor
    positions: torch.Tensor
    visual: torch.Tensor
    rows: torch.Tensor
    attention: Attention


class LanguageModel:
    """Runs tokens through a `Qwen3VLTextModel` or its mixture-of-experts sibling."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._layers = [DecoderLayer(layer) for layer in model.layers]
        if self.device.type == 'cuda':
            release_memory()  # of the weights before they were joined
        # The rotary module takes its dtype and device from this tensor.
        self._rotary_reference = torch.empty(0, dtype=torch.float32, device=self.device)

    @property
    def device(self) -> torch.device:
        return self._model.embed_tokens.weight.device

    @property
    def layers(self) -> int:
        return len(self._model.layers)

    @property
    def heads(self) -> int:
        """Query heads."""
        return int(self._model.config.num_attention_heads)

    def cache_shape(self) -> CacheShape:
        """Return the shape of the cache, in the dtype that the layers compute in."""
        dtype = self._model.layers[0].input_layernorm.weight.dtype
        heads = self._model.config.num_key_value_heads
        size = self._model.layers[0].self_attn.head_dim
        return CacheShape(self.layers, heads, size, dtype, self.device)

    def __call__(
        self,
        tokens: Tokens,
        video: torch.Tensor | None,
        deepstack: Sequence[torch.Tensor],
        writer: CacheWriter,
    ) -> torch.Tensor:
        """Return the last hidden states of the rows, (r, hidden), after the final norm.

        video (v, hidden) replaces the embeddings of the video tokens; deepstack features, each
        (v, hidden), are added to their hidden states after the first layers. Keys and values of
        all tokens are cached; the last layer attends for the rows only.
        """
        hidden = self._model.embed_tokens(tokens.ids)
        if video is not None:
            hidden = hidden.index_copy(0, tokens.visual, video.to(hidden.dtype))
        rotary = self._rotary(tokens.positions)
        normed = self._layers[0].input_norm(hidden)
        for k, layer in enumerate(self._layers):
            if k < self.layers - 1:
                query, *key_value = layer.query_key_value(normed, rotary)
                mixed = tokens.attention(query, *writer.write(k, *key_value))
            else:
                keys, values = writer.write(k, *layer.key_value(normed, rotary))
                rows = tokens.rows
                if not len(rows):
                    return hidden[:0]
                hidden = hidden[rows]
                cosine, sine = rotary
                query = layer.query(normed[rows], (cosine[rows], sine[rows]))
                mixed = tokens.attention.of_rows(query, keys, values)
            hidden, normed = layer.add_mixed(hidden, mixed)
            added = layer.mlp(normed)
            if k == self.layers - 1:
                break
            if k < len(deepstack):
                added = added.index_add(0, tokens.visual, deepstack[k].to(added.dtype))
            hidden, normed = self._layers[k + 1].add_before(hidden, added)
        return torch.as_tensor(self._model.norm(hidden + added))

    def _rotary(self, positions: torch.Tensor) -> RotaryEmbedding:
        cosine, sine = self._model.rotary_emb(self._rotary_reference, positions[:, None])
        return cosine[0], signed(sine[0])
