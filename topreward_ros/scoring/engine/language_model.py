# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The language model of a Qwen3-VL, layer by layer, with cache, mask and rows made explicit.

The modules and their weights are the model's own, quantised or adapted as they may be. Nothing
here waits for the device, and the last layer is run for the rows that are asked for only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

from .key_value_cache import CacheShape, Writer
from .rotary import Rotation, rotate
from .transformers_versions import only_hidden


@dataclass(frozen=True)
class Tokens:
    """Tokens to run, all on the model's device.

    ids (n); positions (3, n) on the axes of MRoPE; visual (v) are the indices of video tokens;
    rows (r) those whose last hidden states are wanted; mask is boolean (n, m), True where a token
    may look at one of the m in the cache, itself among them.
    """

    ids: torch.Tensor
    positions: torch.Tensor
    visual: torch.Tensor
    rows: torch.Tensor
    mask: torch.Tensor


@dataclass(frozen=True)
class _Asking:
    """Tokens that look at others: how they are turned, and the bias (shared * n, m) that hides
    what they may not see, once for each of the query heads that share a key head.
    """

    rotation: Rotation
    bias: torch.Tensor


class LanguageModel:
    """Runs tokens through a `Qwen3VLTextModel` or its mixture-of-experts sibling."""

    def __init__(self, model: Any) -> None:
        self._model = model
        config, self._size = model.config, model.layers[0].self_attn.head_dim
        self._key_heads = config.num_key_value_heads
        self._shared = config.num_attention_heads // config.num_key_value_heads
        # Tells the rotary module in what to compute, and where
        self._kind = torch.empty(0, dtype=torch.float32, device=self.device)

    @property
    def device(self) -> torch.device:
        return self._model.embed_tokens.weight.device

    @property
    def layers(self) -> int:
        return len(self._model.layers)

    def cache_shape(self) -> CacheShape:
        """What the cache keeps, in the number format that the layers compute in."""
        dtype = self._model.layers[0].input_layernorm.weight.dtype
        return CacheShape(self.layers, self._key_heads, self._size, dtype, self.device)

    def __call__(
        self,
        tokens: Tokens,
        video: torch.Tensor | None,
        deepstack: Sequence[torch.Tensor],
        writer: Writer,
    ) -> torch.Tensor:
        """The last hidden states of the rows, (r, hidden), after the final norm.

        video (v, hidden) stands in for the embeddings of the video tokens; deepstack, each
        (v, hidden), is added to them after the first layers. All tokens are cached; the last
        layer answers for the rows alone.
        """
        hidden = self._model.embed_tokens(tokens.ids)
        if video is not None:
            hidden = hidden.index_copy(0, tokens.visual, video.to(hidden.dtype))
        cosine, sine = (part[0] for part in self._rotation(tokens.positions))
        asking = self._asking((cosine, sine), tokens.mask, hidden.dtype)
        for k, layer in enumerate(self._model.layers):
            normed = layer.input_layernorm(hidden)
            keys, values = writer.put(k, *self._kept(layer.self_attn, normed, (cosine, sine)))
            if k == self.layers - 1:
                rows = tokens.rows
                if not len(rows):
                    return hidden[:0]
                hidden, normed, mask = hidden[rows], normed[rows], tokens.mask[rows]
                asking = self._asking((cosine[rows], sine[rows]), mask, hidden.dtype)
            hidden = hidden + self._looked_up(layer.self_attn, normed, asking, keys, values)
            fed = layer.mlp(layer.post_attention_layernorm(hidden)[None])
            hidden = hidden + only_hidden(fed)[0]
            if k < min(len(deepstack), self.layers - 1):
                hidden = hidden.index_add(0, tokens.visual, deepstack[k].to(hidden.dtype))
        return torch.as_tensor(self._model.norm(hidden))

    def _rotation(self, positions: torch.Tensor) -> Rotation:
        cosine, sine = self._model.rotary_emb(self._kind, positions[:, None])
        return cosine, sine

    def _asking(self, rotation: Rotation, mask: torch.Tensor, dtype: torch.dtype) -> _Asking:
        bias = torch.zeros(mask.shape, dtype=dtype, device=mask.device)
        return _Asking(rotation, bias.masked_fill(~mask, float('-inf')).repeat(self._shared, 1))

    def _kept(
        self, attention: Any, normed: torch.Tensor, rotation: Rotation
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Keys and values of these tokens, (key heads, n, size)."""
        key = attention.k_norm(attention.k_proj(normed).view(len(normed), -1, self._size))
        value = attention.v_proj(normed).view(len(normed), -1, self._size)
        return rotate(key.transpose(0, 1), rotation), value.transpose(0, 1)

    def _looked_up(
        self,
        attention: Any,
        normed: torch.Tensor,
        asking: _Asking,
        keys: torch.Tensor,
        values: torch.Tensor,
    ) -> torch.Tensor:
        """What these tokens find at keys and values (key heads, m, size), (n, hidden).

        Query heads that share a key head are stacked as rows of one, so that no key is copied.
        """
        count = len(normed)
        query = attention.q_norm(attention.q_proj(normed).view(count, -1, self._size))
        query = rotate(query.transpose(0, 1), asking.rotation)
        stacked = query.reshape(1, self._key_heads, self._shared * count, self._size)
        mixed = F.scaled_dot_product_attention(
            stacked, keys[None], values[None], attn_mask=asking.bias
        )
        heads = mixed.view(-1, count, self._size).transpose(0, 1).reshape(count, -1)
        return torch.as_tensor(attention.o_proj(heads))
