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
import torch.nn.functional as F

from .key_value_cache import CacheShape, CacheWriter
from .rotary import RotaryEmbedding, apply_rotary
from .transformers_versions import only_hidden


@dataclass(frozen=True)
class Tokens:
    """Inputs of a forward, all on the model's device.

    ids (n); positions (3, n) on the MRoPE axes; visual (v), indices of the video tokens; rows (r),
    indices of the tokens whose last hidden states are returned; mask, boolean (n, m), True where a
    token attends to one of the m tokens in the cache, which include the n new ones.
    """

    ids: torch.Tensor
    positions: torch.Tensor
    visual: torch.Tensor
    rows: torch.Tensor
    mask: torch.Tensor


@dataclass(frozen=True)
class _Queries:
    """Rotary embedding and additive attention mask (group_size * n, m) of the queries.

    The mask is repeated for each query head of a group that shares a key head.
    """

    rotary: RotaryEmbedding
    mask: torch.Tensor


class LanguageModel:
    """Runs tokens through a `Qwen3VLTextModel` or its mixture-of-experts sibling."""

    def __init__(self, model: Any) -> None:
        self._model = model
        config, self._head_dim = model.config, model.layers[0].self_attn.head_dim
        self._key_value_heads = config.num_key_value_heads
        self._group_size = config.num_attention_heads // config.num_key_value_heads
        # The rotary module takes its dtype and device from this tensor.
        self._rotary_reference = torch.empty(0, dtype=torch.float32, device=self.device)

    @property
    def device(self) -> torch.device:
        return self._model.embed_tokens.weight.device

    @property
    def layers(self) -> int:
        return len(self._model.layers)

    def cache_shape(self) -> CacheShape:
        """Return the shape of the cache, in the dtype that the layers compute in."""
        dtype = self._model.layers[0].input_layernorm.weight.dtype
        return CacheShape(self.layers, self._key_value_heads, self._head_dim, dtype, self.device)

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
        cosine, sine = (part[0] for part in self._rotary(tokens.positions))
        queries = self._queries((cosine, sine), tokens.mask, hidden.dtype)
        for k, layer in enumerate(self._model.layers):
            normed = layer.input_layernorm(hidden)
            key_value = self._key_value(layer.self_attn, normed, (cosine, sine))
            keys, values = writer.write(k, *key_value)
            if k == self.layers - 1:
                rows = tokens.rows
                if not len(rows):
                    return hidden[:0]
                hidden, normed, mask = hidden[rows], normed[rows], tokens.mask[rows]
                queries = self._queries((cosine[rows], sine[rows]), mask, hidden.dtype)
            hidden = hidden + self._attend(layer.self_attn, normed, queries, keys, values)
            mlp_out = layer.mlp(layer.post_attention_layernorm(hidden)[None])
            hidden = hidden + only_hidden(mlp_out)[0]
            if k < min(len(deepstack), self.layers - 1):
                hidden = hidden.index_add(0, tokens.visual, deepstack[k].to(hidden.dtype))
        return torch.as_tensor(self._model.norm(hidden))

    def _rotary(self, positions: torch.Tensor) -> RotaryEmbedding:
        cosine, sine = self._model.rotary_emb(self._rotary_reference, positions[:, None])
        return cosine, sine

    def _queries(self, rotary: RotaryEmbedding, mask: torch.Tensor, dtype: torch.dtype) -> _Queries:
        additive = torch.zeros(mask.shape, dtype=dtype, device=mask.device)
        additive = additive.masked_fill(~mask, float('-inf'))
        return _Queries(rotary, additive.repeat(self._group_size, 1))

    def _key_value(
        self, attention: Any, normed: torch.Tensor, rotary: RotaryEmbedding
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return keys and values of the tokens, each (key heads, n, head_dim)."""
        key = attention.k_norm(attention.k_proj(normed).view(len(normed), -1, self._head_dim))
        value = attention.v_proj(normed).view(len(normed), -1, self._head_dim)
        return apply_rotary(key.transpose(0, 1), rotary), value.transpose(0, 1)

    def _attend(
        self,
        attention: Any,
        normed: torch.Tensor,
        queries: _Queries,
        keys: torch.Tensor,
        values: torch.Tensor,
    ) -> torch.Tensor:
        """Attend to keys and values (key heads, m, head_dim); return (n, hidden).

        Grouped query heads are stacked as rows of one head, so keys and values are not repeated.
        """
        count = len(normed)
        query = attention.q_norm(attention.q_proj(normed).view(count, -1, self._head_dim))
        query = apply_rotary(query.transpose(0, 1), queries.rotary)
        stacked = query.reshape(1, self._key_value_heads, self._group_size * count, self._head_dim)
        attn_out = F.scaled_dot_product_attention(
            stacked, keys[None], values[None], attn_mask=queries.mask
        )
        heads = attn_out.view(-1, count, self._head_dim).transpose(0, 1).reshape(count, -1)
        return torch.as_tensor(attention.o_proj(heads))
