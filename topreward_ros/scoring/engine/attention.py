# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Attention of the new tokens of a forward to the cache: what each sees, and how it is computed.

Heads come first: queries (heads, n, size), keys and values (key heads, m, size) of all tokens in
the cache, which include the n new ones. What comes out has tokens as rows, (n, heads * size).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F

# Bottom-right causal attention to the first of the keys, of which the number, int32 (1,), is on the
# device: queries, keys, values, number; returns (n, heads * size).
CountedAttention = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


class Attention(Protocol):
    """Attends for all new tokens, or for those alone whose last hidden states are returned."""

    def __call__(
        self, query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor
    ) -> torch.Tensor:
        """Attend for all new tokens."""
        ...

    def of_rows(
        self, query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor
    ) -> torch.Tensor:
        """Attend for the rows only, (heads, r, size)."""
        ...


@dataclass(frozen=True)
class AttentionPart:
    """New tokens [start, stop), which see the first `root` tokens of the cache, and each other.

    Each other causally, or by mask, boolean (stop - start, stop - start), True where a token sees.
    """

    start: int
    stop: int
    root: int
    mask: torch.Tensor | None = None

    def moves(self, past: int) -> bool:
        """Whether others lie between the root and the tokens, after so many in the cache."""
        return self.root != past + self.start

    @property
    def own(self) -> torch.Tensor:
        """What the tokens see of each other, boolean (stop - start, stop - start)."""
        count = self.stop - self.start
        return torch.ones(count, count, dtype=torch.bool).tril() if self.mask is None else self.mask


class PartAttention:
    """Attention of each part to the keys that it sees, and to no others."""

    def __init__(
        self,
        parts: Sequence[AttentionPart],
        past: int,
        rows: Sequence[int],
        to_device: Callable[[torch.Tensor], torch.Tensor],
        counted: CountedAttention | None = None,
    ) -> None:
        """past: tokens in the cache before the new ones; counted attends for causal parts."""
        self._parts, self._past = parts, past
        self._counted = counted
        # Those with the longest root first: what others write after theirs is no part of it
        self._order = sorted(
            range(len(parts)), key=lambda k: (parts[k].moves(past), -parts[k].root)
        )
        self._seen = [
            None if counted and part.mask is None else to_device(_seen(part)) for part in parts
        ]
        self._rows_seen = to_device(_rows_seen(parts, past, rows))
        self._masks: list[torch.Tensor] = []  # additive, once the dtype is known

    def __call__(
        self, query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor
    ) -> torch.Tensor:
        if not self._masks:
            empty = query.new_empty(0)
            self._masks = [
                empty if seen is None else additive(seen, query, keys) for seen in self._seen
            ]
        cached = [_Cached(each, self._parts, self._past) for each in (keys, values)]
        try:
            mixed = {k: self._attend(k, query, *cached) for k in self._order}
        finally:
            for each in cached:
                each.restore()
        return mixed[0] if len(mixed) == 1 else torch.cat([mixed[k] for k in sorted(mixed)])

    def of_rows(
        self, query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor
    ) -> torch.Tensor:
        return masked(query, keys, values, additive(self._rows_seen, query, keys))

    def _attend(self, k: int, query: torch.Tensor, keys: _Cached, values: _Cached) -> torch.Tensor:
        part = self._parts[k]
        own = query[:, part.start : part.stop]
        seen = keys.seen_by(part), values.seen_by(part)
        if self._counted is None or part.mask is not None:
            return masked(own, *seen, self._masks[k])
        used = torch.full((1,), seen[0].shape[1], dtype=torch.int32, device=query.device)
        return self._counted(own, *seen, used)


class _Cached:
    """Keys or values of a layer, (key heads, m, size), side by side for each part in turn.

    A part's own are written after its root, over others that no later part sees, so that nothing
    else is copied; in the end all is as it was.
    """

    def __init__(self, cached: torch.Tensor, parts: Sequence[AttentionPart], past: int) -> None:
        self._cached, self._past = cached, past
        moved = [part.root for part in parts if part.moves(past)]
        self._first = min(moved, default=cached.shape[1])
        self._kept = cached[:, self._first :].clone()

    def seen_by(self, part: AttentionPart) -> torch.Tensor:
        first, stop = self._past + part.start, self._past + part.stop
        end = part.root + stop - first
        if part.moves(self._past):
            own = self._kept[:, first - self._first : stop - self._first]
            self._cached[:, part.root : end] = own
        return self._cached[:, :end]

    def restore(self) -> None:
        self._cached[:, self._first :] = self._kept


def masked(
    query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, mask: torch.Tensor
) -> torch.Tensor:
    """Attend to all keys with an additive mask as `additive` makes it.

    Query heads of a group are stacked as rows of one head, so keys and values are not repeated.
    """
    heads, count, size = query.shape
    stacked = query.reshape(1, len(keys), -1, size)
    mixed = F.scaled_dot_product_attention(stacked, keys[None], values[None], attn_mask=mask)
    # CUDA's kernels may return (rows, heads, size) in memory, so no view of it is certain
    by_group = mixed[0].unflatten(1, (heads // len(keys), count))
    return by_group.permute(2, 0, 1, 3).reshape(count, -1)


def additive(seen: torch.Tensor, query: torch.Tensor, keys: torch.Tensor) -> torch.Tensor:
    """Return the additive mask (group * n, m) of a boolean one (n, m), True where a token sees.

    It is repeated for each query head of a group that shares a key head.
    """
    mask = torch.zeros(seen.shape, dtype=query.dtype, device=query.device)
    return mask.masked_fill(~seen, float('-inf')).repeat(len(query) // len(keys), 1)


def causal_parts(past: int, count: int) -> list[AttentionPart]:
    """Return the one part of tokens that see all before them."""
    return [AttentionPart(0, count, past)]


def _seen(part: AttentionPart) -> torch.Tensor:
    """Return what the tokens of a part see of its root and of each other, boolean."""
    count = part.stop - part.start
    return torch.cat([torch.ones(count, part.root, dtype=torch.bool), part.own], dim=1)


def _rows_seen(parts: Sequence[AttentionPart], past: int, rows: Sequence[int]) -> torch.Tensor:
    """Return what these new tokens see of everything in the cache, boolean (rows, m)."""
    stop = past + max(part.stop for part in parts)
    seen = torch.zeros(len(rows), stop, dtype=torch.bool)
    for k, row in enumerate(rows):
        part = next(part for part in parts if part.start <= row < part.stop)
        seen[k, : part.root] = True
        own = part.own[row - part.start]
        seen[k, past + part.start : past + part.stop] = own
    return seen
