# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Keys and values of the tokens run so far, in memory that is never copied to append to it.

Cutting is moving a number. Room grows by doubling, so that appending costs the same on average
however long the video is, and a score reads no more than what is there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch

LEAST_ROOM = 512  # [tokens]


@dataclass(frozen=True)
class CacheShape:
    """What a layer keeps for each token: keys and values (heads, size)."""

    layers: int
    heads: int
    size: int
    dtype: torch.dtype
    device: torch.device

    @property
    def bytes_per_token(self) -> int:
        return 2 * self.layers * self.heads * self.size * self.dtype.itemsize


class Writer(Protocol):
    """Puts the keys and values of new tokens in their place."""

    def put(
        self, layer: int, keys: torch.Tensor, values: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write (heads, n, size) of the new tokens; all that they may look at, (heads, m, size)."""
        ...


class KeyValueCache:
    """The cache of one episode; `length` tokens are in it, and there is room for more."""

    def __init__(self, shape: CacheShape) -> None:
        self.shape = shape
        self.length = 0
        self._keys: list[torch.Tensor] = []
        self._values: list[torch.Tensor] = []

    @property
    def room(self) -> int:
        """Tokens for which there is memory."""
        return self._keys[0].shape[1] if self._keys else 0

    def reserve(self, tokens: int) -> None:
        """Make room for so many tokens altogether; what is in the cache stays.

        Where there is no memory for it, what is in the cache is lost.
        """
        if tokens <= self.room:
            return
        room = max(LEAST_ROOM, 2 * self.room, tokens)
        try:
            for kept in (self._keys, self._values):
                for layer in range(self.shape.layers):
                    kept[layer : layer + 1] = [self._widened(kept[layer : layer + 1], room)]
        except BaseException:  # some layers would be wider than others
            self._keys, self._values, self.length = [], [], 0
            raise

    def _widened(self, kept: list[torch.Tensor], room: int) -> torch.Tensor:
        shape = self.shape
        # Zeros: what is masked has to be a number all the same.
        wider = torch.zeros(shape.heads, room, shape.size, dtype=shape.dtype, device=shape.device)
        if self.length:
            wider[:, : self.length] = kept[0][:, : self.length]
        return wider

    def cut(self, length: int) -> None:
        """Forget all but the first so many tokens."""
        if not 0 <= length <= self.length:
            raise ValueError(f'a cache of {self.length} tokens cannot be cut to {length}')
        self.length = length

    def append(self, count: int) -> Appending:
        """A writer of so many tokens behind the last; they are in the cache from now on."""
        self.reserve(self.length + count)
        start = self.length
        self.length += count
        return Appending(self, start)

    def layer(self, index: int, length: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Views of the first so many keys and values, (heads, length, size)."""
        return self._keys[index][:, :length], self._values[index][:, :length]


class Appending:
    """Writes behind what is in the cache, and reads no more than there is."""

    def __init__(self, cache: KeyValueCache, start: int) -> None:
        self._cache = cache
        self._start = start

    def put(
        self, layer: int, keys: torch.Tensor, values: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """As `Writer`."""
        stop = self._start + keys.shape[1]
        all_keys, all_values = self._cache.layer(layer, stop)
        all_keys[:, self._start :] = keys
        all_values[:, self._start :] = values
        return all_keys, all_values
