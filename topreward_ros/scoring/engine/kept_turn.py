# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The last turn of a chat, of which the next one takes over what both begin with."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from .prefix_cache import PrefixCache
from .prompt import Segment, count_tokens
from .qwen3_vl import Engine


class KeptTurn:
    """Keys and values of the last turn of one model."""

    def __init__(self, owner: object, engine: Engine) -> None:
        """owner: whose turns these are; models that share an engine may have other weights."""
        self.owner = owner
        self._cache = PrefixCache(engine)
        self._segments: list[Segment] = []

    def continued(self, turn: Sequence[Segment]) -> tuple[PrefixCache, list[Segment]]:
        """Return the cache with what this turn and the last one begin with, and what is left.

        All that is left has to be appended to the cache; it is at least the last segment.
        """
        pairs = itertools.takewhile(_is_same, zip(self._segments, turn[:-1], strict=False))
        common = sum(1 for _ in pairs)
        tokens = count_tokens(turn[:common])
        if tokens > self._cache.length:  # the last turn was not run to its end
            common = tokens = 0
        self._cache.truncate(tokens)
        self._segments = list(turn)
        return self._cache, list(turn[common:])

    def discard(self) -> None:
        """Drop it, as the content is invalid."""
        self._segments = []
        self._cache.discard()

    def close(self) -> None:
        """Return the memory to the engine."""
        self._segments = []
        self._cache.close()


def _is_same(pair: tuple[Segment, Segment]) -> bool:
    """Whether both are the same tokens, and show nothing or the same features."""
    one, other = pair
    return one.ids == other.ids and one.features is other.features and one.block is other.block
