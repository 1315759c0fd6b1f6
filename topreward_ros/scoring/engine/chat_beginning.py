# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What successive turns of a chat begin with, run once and kept for those that follow."""

from __future__ import annotations

from collections.abc import Sequence

from .prefix_cache import PrefixCache
from .prompt import Segment, count_tokens
from .qwen3_vl import Engine


class Beginning:
    """The text of a turn up to the first picture that changes, with the pictures before it."""

    def __init__(self, engine: Engine, pictures: int = 0) -> None:
        """pictures: how many at the beginning of a turn stay the same; they have to be encoded."""
        self._cache = PrefixCache(engine)
        self._segments = 2 * pictures + 1  # text around and between the pictures
        self._kept: tuple[Segment, ...] = ()

    def begin(self, turn: Sequence[Segment]) -> tuple[PrefixCache, list[Segment]]:
        """Return the cache with the beginning of this turn, and the segments that are left to run.

        What earlier turns left in the cache after their beginning is cut.
        """
        count = min(self._segments, len(turn) - 1)  # something is left to run
        begins, rest = tuple(turn[:count]), list(turn[count:])
        if self._has(begins):
            self._cache.truncate(count_tokens(begins))
        else:
            self._kept = ()
            self._cache.clear()
            self._cache.extend(begins)
            self._kept = begins
        return self._cache, rest

    def _has(self, begins: Sequence[Segment]) -> bool:
        # A cache that could not grow is empty
        is_there = len(begins) == len(self._kept) and self._cache.length >= count_tokens(begins)
        return is_there and all(map(_is_same, begins, self._kept))

    def discard(self) -> None:
        """Drop all of it, as the content is invalid."""
        self._kept = ()
        self._cache.discard()

    def close(self) -> None:
        """Return the memory to the engine."""
        self._kept = ()
        self._cache.close()


def _is_same(one: Segment, other: Segment) -> bool:
    """Whether both are the same tokens, and show the same features or nothing."""
    shows_the_same = one.features is other.features and one.block is other.block is None
    return one.ids == other.ids and shows_the_same
