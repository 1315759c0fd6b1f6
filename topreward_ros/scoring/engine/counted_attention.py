# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Attention of a recorded step, whose shapes are fixed while the prefix grows.

Where the number of keys can be read from the device, one recorded step serves prefixes of all
lengths and reads the keys in use only. Elsewhere reads are padded and a mask hides the rest.
"""

from __future__ import annotations

import contextlib
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib import import_module
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from .attention import CountedAttention, additive, masked
from .fused import LARGEST_ERROR, relative_error
from .key_value_cache import CacheShape
from .split_attention import split_attention

# Another way must take less than this share of the time of one that serves all lengths.
WORTH_IT = 0.9
Measure = Callable[[Callable[[], object]], float]


@dataclass(frozen=True)
class Way:
    """One of the ways of `ways_on`: counted, split, or masked with this backend or any."""

    name: str
    counted: CountedAttention | None = None
    backend: SDPBackend | None = None
    is_split: bool = False

    def context(self) -> contextlib.AbstractContextManager[Any]:
        return contextlib.nullcontext() if self.backend is None else sdpa_kernel(self.backend)


PLAIN = Way('masked')


class StepAttention:
    """What the tokens of a step see by their slots in the cache, all on the device.

    slots (n): places of the new tokens, one after the other; rows: indices of those whose hidden
    states are returned, one; cache_read: keys that are handed to attention; prefix: how many of
    them are before all slots, however short the episode.
    """

    def __init__(
        self, way: Way, slots: torch.Tensor, rows: torch.Tensor, cache_read: int, prefix: int = 0
    ) -> None:
        self._way, self._slots, self._own = way, slots, slots[rows]
        self._cache_read = cache_read
        self._prefix = prefix if way.is_split else 0
        self._mask: torch.Tensor | None = None

    def __call__(
        self, query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor
    ) -> torch.Tensor:
        if self._way.counted is not None:
            return self._way.counted(query, keys, values, _count(self._slots[-1:]))
        if self._mask is None:  # the same in all layers
            self._mask = self._masked(self._slots, query, keys, self._prefix)
        if self._prefix:
            return split_attention(query, keys, values, self._prefix, self._mask)
        return masked(query, keys, values, self._mask)

    def of_rows(
        self, query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor
    ) -> torch.Tensor:
        if self._way.counted is not None:
            return self._way.counted(query, keys, values, _count(self._own))
        return masked(query, keys, values, self._masked(self._own, query, keys))

    def _masked(
        self, slots: torch.Tensor, query: torch.Tensor, keys: torch.Tensor, first: int = 0
    ) -> torch.Tensor:
        """Return the mask of the keys from the first on."""
        seen = torch.arange(first, self._cache_read, device=slots.device) <= slots[:, None]
        return additive(seen, query, keys)


def flash(
    query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, used: torch.Tensor
) -> torch.Tensor:
    """Attend by torch's flash attention for sequences of given lengths; a `CountedAttention`."""
    (heads, count, size), length = query.shape, keys.shape[1]
    # [0, count] without a copy from the host, which cannot be captured
    mine, theirs = (
        torch.arange(0, each + 1, each, dtype=torch.int32, device=query.device)
        for each in (count, length)
    )
    inputs = [each.transpose(0, 1) for each in (query, keys, values)]
    mixed = _causal_flash()(*inputs, mine, theirs, count, length, seqused_k=used)
    return torch.as_tensor(mixed.reshape(count, heads * size))


@cache
def _causal_flash() -> Callable[..., Any]:
    """Return torch's function for it, or before torch 2.12 the operator that it calls."""
    with contextlib.suppress(ImportError):
        varlen: Any = import_module('torch.nn.attention.varlen')
        if 'seqused_k' in inspect.signature(varlen.varlen_attn).parameters:
            return partial(varlen.varlen_attn, window_size=(-1, 0), enable_gqa=True)

    def operator(*arguments: Any, seqused_k: torch.Tensor) -> torch.Tensor:
        attend = torch.ops.aten._flash_attention_forward
        without_dropout, is_causal, without_debugging = 0.0, True, False
        options = without_dropout, is_causal, without_debugging
        return torch.as_tensor(attend(*arguments, *options, seqused_k=seqused_k)[0])

    return operator


@cache
def counted_on(shape: CacheShape, heads: int) -> CountedAttention | None:
    """Return what attends so on this device and dtype; None where nothing does it right."""
    if shape.device.type != 'cuda' or shape.dtype not in (torch.bfloat16, torch.float16):
        return None
    try:
        return flash if counted_error(flash, shape, heads) < LARGEST_ERROR else None
    except (AttributeError, TypeError, RuntimeError):  # an older torch or GPU
        return None


def counted_error(attend: CountedAttention, shape: CacheShape, heads: int) -> float:
    """Return the relative error against masked attention in float32, the larger of two cases.

    Versions differ in what is causal where there are more keys than queries, and where the keys in
    use end before the given ones.
    """
    random = torch.Generator().manual_seed(0)
    keys, values = (
        torch.randn(shape.heads, 160, shape.size, generator=random).to(shape.device, shape.dtype)
        for _ in range(2)
    )
    errors = []
    for count, used in ((24, 100), (1, 137)):
        query = torch.randn(heads, count, shape.size, generator=random)
        query = query.to(shape.device, shape.dtype)
        wide = query.float(), keys.float(), values.float()
        slots = torch.arange(used - count, used, device=shape.device)
        seen = torch.arange(160, device=shape.device) <= slots[:, None]
        truth = masked(*wide, additive(seen, wide[0], wide[1]))
        mixed = attend(query, keys, values, _count(slots[-1:])).float()
        errors.append(relative_error(mixed, truth))
    return max(errors)


def ways_on(shape: CacheShape, heads: int) -> list[Way]:
    """Return the ways of this device, the one that serves all lengths first."""
    if shape.device.type != 'cuda':
        return [PLAIN]
    counted = counted_on(shape, heads)
    backends = {
        'masked, memory-efficient': SDPBackend.EFFICIENT_ATTENTION,
        'masked, cuDNN': SDPBackend.CUDNN_ATTENTION,
    }
    ways = [] if counted is None else [Way('flash, keys counted on the device', counted)]
    ways += [Way(name, backend=backend) for name, backend in backends.items()]
    if shape.dtype in (torch.bfloat16, torch.float16):
        ways.append(Way('cuDNN, no mask before the newest keys', is_split=True))
    return [*ways, PLAIN]


def quickest(
    ways: Sequence[Way],
    shape: CacheShape,
    lengths: tuple[int, int, int],
    heads: int,
    measure: Measure,
) -> tuple[Way, Mapping[str, float]]:
    """Return the quickest way to attend, of those that do it right, and all times.

    lengths: new tokens, cached tokens with them, and those before all new ones. A way that serves
    all lengths is left only for one that is clearly quicker. One that this device does not offer
    has no time.
    """
    if len(ways) == 1:
        return ways[0], {}
    count, cached, prefix = lengths
    random = torch.Generator(shape.device).manual_seed(0)
    query, keys, values = (
        torch.randn(number, tokens, shape.size, generator=random, device=shape.device)
        for number, tokens in ((heads, count), (shape.heads, cached), (shape.heads, cached))
    )
    slots = torch.arange(cached - count, cached, device=shape.device)
    truth = StepAttention(PLAIN, slots, slots[:0], cached)(query, keys, values)
    half = [each.to(shape.dtype) for each in (query, keys, values)]
    times = {}
    for way in ways:
        step = StepAttention(way, slots, slots[:0], cached, prefix)
        try:
            with way.context():
                error = relative_error(step(*half), truth)
                if error < LARGEST_ERROR:
                    times[way.name] = measure(partial(step, *half))
        except RuntimeError:  # not for this shape, dtype or device
            continue
    best = min(times, key=lambda name: times[name], default=PLAIN.name)
    first = ways[0]
    if first.counted is not None and times.get(first.name, math.inf) * WORTH_IT <= times[best]:
        return first, times
    return next(way for way in ways if way.name == best), times


def _count(slots: torch.Tensor) -> torch.Tensor:
    """Return the number of keys up to a slot, int32 (1,)."""
    return (slots + 1).to(torch.int32)
