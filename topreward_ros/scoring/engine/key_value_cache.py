# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Preallocated key-value cache of the tokens run so far.

Truncation only changes the length. The capacity doubles when it is exceeded, so appending has
constant amortised cost, and attention reads the tokens in the cache only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch

MIN_CAPACITY = 512  # [tokens]


@dataclass(frozen=True)
class CacheShape:
    """Keys and values (heads, size) per token and layer."""

    layers: int
    heads: int
    size: int
    dtype: torch.dtype
    device: torch.device

    @property
    def bytes_per_token(self) -> int:
        return 2 * self.layers * self.heads * self.size * self.dtype.itemsize


class CacheWriter(Protocol):
    """Writes keys and values of new tokens into a cache."""

    def write(
        self, layer: int, keys: torch.Tensor, values: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write (heads, n, size) of the new tokens; return all cached, (heads, m, size)."""
        ...


class KeyValueCache:
    """The keys and values of one prefix; `length` is the number of tokens in it."""

    def __init__(self, shape: CacheShape) -> None:
        self.shape = shape
        self.length = 0
        self._keys: list[torch.Tensor] = []
        self._values: list[torch.Tensor] = []

    @property
    def capacity(self) -> int:
        """Tokens for which memory is allocated."""
        keys = self._keys  # another thread may ask while they are replaced
        return keys[0].shape[1] if keys else 0

    def reserve(self, tokens: int) -> None:
        """Make the capacity `tokens`, unless it is larger, keeping the content.

        The cache is empty afterwards if the allocation fails.
        """
        if tokens <= self.capacity:
            return
        try:
            for buffers in (self._keys, self._values):
                for layer in range(self.shape.layers):
                    buffers[layer : layer + 1] = [self._grown(buffers[layer : layer + 1], tokens)]
        except BaseException:  # the layers would differ in capacity
            self._keys, self._values, self.length = [], [], 0
            raise

    def grow(self, tokens: int) -> None:
        """Make room for `tokens`, and for as many again as there is now, if there is too little."""
        if tokens > self.capacity:
            self.reserve(max(MIN_CAPACITY, 2 * self.capacity, tokens))

    def _grown(self, buffer: list[torch.Tensor], capacity: int) -> torch.Tensor:
        shape = self.shape
        # Zeros, because masked values must still be finite.
        grown = torch.zeros(
            shape.heads, capacity, shape.size, dtype=shape.dtype, device=shape.device
        )
        if self.length:
            grown[:, : self.length] = buffer[0][:, : self.length]
        return grown

    def truncate(self, length: int) -> None:
        """Keep the first `length` tokens; ValueError where the cache has fewer."""
        if not 0 <= length <= self.length:
            raise ValueError(f'a cache of {self.length} tokens cannot be truncated to {length}')
        self.length = length

    def copy(self, other: KeyValueCache) -> None:
        """Take over the tokens of another cache of this shape, keeping the memory of this one."""
        self.truncate(0)
        self.grow(other.length)
        for layer in range(self.shape.layers):
            pairs = zip(
                self.layer(layer, other.length), other.layer(layer, other.length), strict=True
            )
            for own, theirs in pairs:
                own.copy_(theirs)
        self.length = other.length

    def append(self, count: int) -> AppendWriter:
        """Extend the cache by `count` tokens; return the writer of their keys and values."""
        self.grow(self.length + count)
        start = self.length
        self.length += count
        return AppendWriter(self, start)

    def layer(self, index: int, length: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return views of a layer's first `length` keys and values, (heads, length, size)."""
        return self._keys[index][:, :length], self._values[index][:, :length]


class AppendWriter:
    """Writes after the tokens in the cache and returns the keys and values up to there."""

    def __init__(self, cache: KeyValueCache, start: int) -> None:
        self._cache = cache
        self._start = start

    def write(
        self, layer: int, keys: torch.Tensor, values: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """See `CacheWriter`."""
        stop = self._start + keys.shape[1]
        all_keys, all_values = self._cache.layer(layer, stop)
        all_keys[:, self._start :] = keys
        all_values[:, self._start :] = values
        return all_keys, all_values
