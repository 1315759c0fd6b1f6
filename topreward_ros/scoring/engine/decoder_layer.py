# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A decoder layer of a Qwen3-VL's language model, with fewer and larger operations.

Weights are the model's own. Where they are plain or 8-bit floats, projections of one input are
joined into one matrix once, of which the model's own become views.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import nn

from ..loading.float8 import Float8Linear
from .fused import fused
from .rotary import RotaryEmbedding, apply_rotary
from .transformers_versions import only_hidden

Product = Callable[[torch.Tensor], torch.Tensor]


class DecoderLayer:
    """Norms, projections and MLP of a `Qwen3VLTextDecoderLayer` or its mixture-of-experts sibling.

    Tokens are rows, (n, hidden); heads come first, (heads, n, head_dim).
    """

    def __init__(self, layer: Any) -> None:
        self._layer = layer
        attention, mlp = layer.self_attn, layer.mlp
        self._head_dim: int = attention.head_dim
        projections = [attention.q_proj, attention.k_proj, attention.v_proj]
        self._qkv = joined_product(projections)
        self._sizes = [] if self._qkv is None else [len(each.weight) for each in projections]
        is_plain = all(hasattr(mlp, name) for name in ('gate_proj', 'up_proj', 'down_proj'))
        is_plain = is_plain and mlp.config.hidden_act == 'silu'
        self._gate_up = joined_product([mlp.gate_proj, mlp.up_proj]) if is_plain else None

    def input_norm(self, hidden: torch.Tensor) -> torch.Tensor:
        return rms_norm(self._layer.input_layernorm, hidden)

    def query_key_value(
        self, normed: torch.Tensor, rotary: RotaryEmbedding
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return queries, keys and values of all tokens."""
        if self._qkv is None:
            return self.query(normed, rotary), *self.key_value(normed, rotary)
        query, key, value = self._qkv(normed).split(self._sizes, dim=-1)
        return (
            self._query(query, rotary),
            self._key(key, rotary),
            self._heads(value).transpose(0, 1),
        )

    def query(self, normed: torch.Tensor, rotary: RotaryEmbedding) -> torch.Tensor:
        return self._query(self._layer.self_attn.q_proj(normed), rotary)

    def key_value(
        self, normed: torch.Tensor, rotary: RotaryEmbedding
    ) -> tuple[torch.Tensor, torch.Tensor]:
        attention = self._layer.self_attn
        key, value = attention.k_proj(normed), attention.v_proj(normed)
        return self._key(key, rotary), self._heads(value).transpose(0, 1)

    def output(self, mixed: torch.Tensor) -> torch.Tensor:
        """Project the mixed values of all heads, (n, heads * head_dim), to (n, hidden)."""
        return torch.as_tensor(self._layer.self_attn.o_proj(mixed))

    def add_mixed(
        self, hidden: torch.Tensor, mixed: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Add the projected values of all heads; return the hidden states, and the MLP's input."""
        return add_and_norm(self._layer.post_attention_layernorm, hidden, self.output(mixed))

    def add_before(
        self, hidden: torch.Tensor, added: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Add what the layer before adds; return the hidden states, and this layer's input."""
        return add_and_norm(self._layer.input_layernorm, hidden, added)

    def mlp(self, normed: torch.Tensor) -> torch.Tensor:
        """Return what the MLP adds to the hidden states."""
        mlp = self._layer.mlp
        if self._gate_up is None:
            return only_hidden(mlp(normed[None]))[0]
        return torch.as_tensor(mlp.down_proj(gated(self._gate_up(normed))))

    def _query(self, values: torch.Tensor, rotary: RotaryEmbedding) -> torch.Tensor:
        return _rotated(self._layer.self_attn.q_norm, self._heads(values), rotary)

    def _key(self, values: torch.Tensor, rotary: RotaryEmbedding) -> torch.Tensor:
        return _rotated(self._layer.self_attn.k_norm, self._heads(values), rotary)

    def _heads(self, values: torch.Tensor) -> torch.Tensor:
        """Return (n, heads, head_dim)."""
        return values.view(len(values), -1, self._head_dim)


def rms_norm(module: Any, values: torch.Tensor) -> torch.Tensor:
    """Return what the module does, in one operation where its weight has the dtype of the values.

    The product with the weight is then rounded once, not twice.
    """
    weight = module.weight
    if weight.dtype != values.dtype:
        return torch.as_tensor(module(values))
    return F.rms_norm(values, weight.shape, weight, module.variance_epsilon)


def add_and_norm(
    module: Any, hidden: torch.Tensor, added: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the sum, and what the module does with it."""
    weight = module.weight
    if weight.dtype != hidden.dtype:
        hidden = hidden + added
        return hidden, rms_norm(module, hidden)
    return cast(Any, added_and_normed(hidden, added, weight, module.variance_epsilon))


@fused(0, 0)
def added_and_normed(
    hidden: torch.Tensor, added: torch.Tensor, weight: torch.Tensor, epsilon: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the sum (n, hidden), and that divided by its root mean square, times the weight."""
    hidden = hidden + added
    return hidden, F.rms_norm(hidden, weight.shape, weight, epsilon)


@fused(0)
def gated(gate_up: torch.Tensor) -> torch.Tensor:
    """Return the inner values of an MLP, (n, size), of its joined projections, (n, 2 * size)."""
    gate, up = gate_up.chunk(2, dim=-1)
    return F.silu(gate) * up


def _rotated(norm: Any, heads: torch.Tensor, rotary: RotaryEmbedding) -> torch.Tensor:
    """Return normed and rotated queries or keys (n, heads, size), heads first."""
    if norm.weight.dtype != heads.dtype:
        return apply_rotary(rms_norm(norm, heads).transpose(0, 1), rotary)
    return torch.as_tensor(normed_and_rotated(heads, norm.weight, *rotary, norm.variance_epsilon))


@fused(0, None, 0, 0)
def normed_and_rotated(
    heads: torch.Tensor,
    weight: torch.Tensor,
    cosine: torch.Tensor,
    signed_sine: torch.Tensor,
    epsilon: float,
) -> torch.Tensor:
    """Return (heads, n, size) of (n, heads, size); cosine and signed sine (n, size)."""
    normed = F.rms_norm(heads, weight.shape, weight, epsilon)
    return apply_rotary(normed.transpose(0, 1), (cosine, signed_sine))


def joined_product(modules: Sequence[nn.Module]) -> Product | None:
    """Return what multiplies by the weights of linear modules in one product.

    None as `joined`, where they are not all in 8-bit floats either.
    """
    if all(isinstance(each, Float8Linear) for each in modules):
        return Float8Linear.joined([cast(Float8Linear, each) for each in modules])
    whole = joined(modules)
    return None if whole is None else partial(F.linear, weight=whole)


def joined(modules: Sequence[nn.Module]) -> torch.Tensor | None:
    """Return the weights of linear modules as one matrix, of which theirs become views.

    None where one of them is no plain nn.Linear, such as a quantised one, has a bias, or does more
    than its class.
    """
    plain = [cast(nn.Linear, each) for each in modules if _is_plain(each)]
    if len(plain) < len(modules):
        return None
    weights = [module.weight for module in plain]
    if (whole := _is_joined(weights)) is not None:
        return whole
    if len({(weight.dtype, weight.device, weight.shape[1]) for weight in weights}) > 1:
        return None
    whole = torch.cat([weight.detach() for weight in weights])
    parts = whole.split([len(weight) for weight in weights])
    for module, part in zip(plain, parts, strict=True):
        module.weight = nn.Parameter(part, requires_grad=False)
    return whole


def _is_plain(module: nn.Module) -> bool:
    if type(module) is not nn.Linear or module.bias is not None:
        return False
    is_patched = 'forward' in vars(module) or module._forward_hooks or module._forward_pre_hooks
    return (
        type(module.weight) is nn.Parameter
        and type(module.weight.data) is torch.Tensor
        and (not is_patched)
    )


def _is_joined(weights: Sequence[torch.Tensor]) -> torch.Tensor | None:
    """Return the matrix that these weights are views of, one after the other; else None."""
    first, rows, end = weights[0].detach(), 0, weights[0].storage_offset()
    for weight in weights:
        is_next = weight.storage_offset() == end and weight.is_contiguous()
        if weight.untyped_storage().data_ptr() != first.untyped_storage().data_ptr() or not is_next:
            return None
        end += weight.numel()
        rows += len(weight)
    return first.as_strided((rows, first.shape[1]), (first.shape[1], 1), first.storage_offset())
