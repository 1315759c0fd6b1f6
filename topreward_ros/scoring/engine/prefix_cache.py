# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Prefix cache of a prompt, and branches that are run on top of it and truncated afterwards.

Attention is causal, so the keys and values of a prefix do not depend on what follows. A question
or a candidate answer is a branch: it attends to the prefix and to itself, several branches run in
one forward, and none stays in the cache.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch

from topreward_ros.errors import ModelError

from .attention import AttentionPart
from .key_value_cache import KeyValueCache
from .prompt import Segment, count_tokens
from .qwen3_vl import Engine
from .recorded_steps import RecordedSteps

# Segments per forward of a prefill: bounds its memory.
SEGMENTS_PER_FORWARD = 8


@dataclass(frozen=True)
class Branch:
    """A continuation of the first `root` tokens of a prefix.

    The stem is shared by the leaves. A leaf attends to the root, the stem and itself, to no other
    leaf.
    """

    root: int
    leaves: Sequence[Segment]
    stem: Sequence[Segment] = ()

    @property
    def segments(self) -> list[Segment]:
        return [*self.stem, *self.leaves]

    @property
    def tokens(self) -> int:
        return count_tokens(self.segments)


class PrefixCache:
    """The key-value cache of one prefix, borrowed from the engine on first use."""

    def __init__(
        self, engine: Engine, recorded: RecordedSteps | None = None, *, is_spare: bool = False
    ) -> None:
        """Replay steps of one branch with one leaf through `recorded`, if given.

        A spare prefix has a cache of its own, which is not borrowed and is freed when it is closed:
        those of the engine may have recorded steps.
        """
        self._engine = engine
        self._recorded = recorded
        self._is_spare = is_spare
        self._cache: KeyValueCache | None = None

    @property
    def length(self) -> int:
        """Tokens in the prefix."""
        return 0 if self._cache is None else self._cache.length

    @property
    def capacity(self) -> int:
        """Tokens for which memory is allocated."""
        return 0 if self._cache is None else self._cache.capacity

    def reserve(self, tokens: int) -> None:
        """Allocate memory for so many tokens."""
        with self._engine.on_device():
            self._borrow().reserve(tokens)

    def extend(self, segments: Sequence[Segment], rows: Sequence[int] = ()) -> torch.Tensor:
        """Append segments to the prefix; return the hidden states of `rows`, (rows, hidden)."""
        with self._engine.on_device():
            return self._engine.forward(segments, self._borrow(), rows)

    def append(self, segments: Sequence[Segment]) -> torch.Tensor:
        """Append segments; return the last hidden state of each, (segments, hidden)."""
        cache, rows, stop = self._borrow(), [], -1
        for segment in segments:
            stop += len(segment.ids)
            rows.append(stop)
        with self._engine.on_device():
            if self._recorded is not None and len(segments) == 1:
                hidden = self._recorded.forward(segments, cache)
                if hidden is not None:
                    return hidden
            return self._engine.forward(segments, cache, rows)

    def prefill(self, segments: Sequence[Segment]) -> list[Segment]:
        """Append all but the last SEGMENTS_PER_FORWARD segments; return the remaining ones."""
        remaining = list(segments)
        while len(remaining) > SEGMENTS_PER_FORWARD:
            self.extend(remaining[:SEGMENTS_PER_FORWARD])
            remaining = remaining[SEGMENTS_PER_FORWARD:]
        return remaining

    def forward(
        self,
        new: Sequence[Segment],
        branches: Sequence[Branch],
        rows: Sequence[int] | None = None,
    ) -> torch.Tensor:
        """Append new segments to the prefix and run branches on top of it, in one forward.

        The branches are truncated from the cache afterwards. A branch's root counts the new
        segments. Returns the hidden states of the last token of each leaf, in order, or of `rows`
        of all tokens run, (rows, hidden).
        """
        cache = self._borrow()
        prefix_length = cache.length + count_tokens(new)
        segments = [*new, *(s for branch in branches for s in branch.segments)]
        with self._engine.on_device():
            hidden = self._replay(segments, branches, cache) if rows is None else None
            if hidden is None:
                leaves, parts = branch_parts(cache.length, count_tokens(new), branches)
                hidden = self._engine.forward(segments, cache, rows or leaves, parts)
        cache.truncate(prefix_length)
        return hidden

    def copy(self, other: PrefixCache) -> None:
        """Take over the prefix of another one; steps that were recorded for this one stay."""
        with self._engine.on_device():
            self._borrow().copy(other._borrow())

    def truncate(self, length: int) -> None:
        """Keep the first `length` tokens of the prefix; the memory stays allocated."""
        if self._cache is not None:
            self._cache.truncate(length)

    def clear(self) -> None:
        """Truncate the prefix to nothing."""
        self.truncate(0)

    def discard(self) -> None:
        """Drop the cache without returning it, as its content is invalid."""
        self._cache = None

    def close(self) -> None:
        """Return the cache to the engine."""
        if self._cache is not None and not self._is_spare:
            self._engine.return_cache(self._cache)
        self._cache = None

    def _borrow(self) -> KeyValueCache:
        if self._cache is None:
            engine = self._engine
            self._cache = engine.new_cache() if self._is_spare else engine.borrow_cache()
        return self._cache

    def _replay(
        self, segments: Sequence[Segment], branches: Sequence[Branch], cache: KeyValueCache
    ) -> torch.Tensor | None:
        if self._recorded is None or len(branches) != 1 or len(branches[0].leaves) != 1:
            return None
        return self._recorded.forward(segments, cache)


@contextmanager
def prefix_cache(engine: Engine) -> Iterator[PrefixCache]:
    """Yield a prefix cache and close it afterwards; after a ModelError its memory is discarded."""
    prefix = PrefixCache(engine)
    try:
        yield prefix
    except ModelError:
        prefix.discard()
        raise
    finally:
        prefix.close()


def branch_parts(
    past: int, new: int, branches: Sequence[Branch]
) -> tuple[list[int], list[AttentionPart]]:
    """Return the last row of each leaf, and what the tokens of a forward attend to.

    New tokens attend causally to everything before them; a branch to its root and causally to
    itself, except that a leaf does not attend to other leaves.
    """
    parts = [AttentionPart(0, new, past)] if new else []
    rows, start = [], new
    for branch in branches:
        stop = start + branch.tokens
        end = start + count_tokens(branch.stem)
        for leaf in branch.leaves:
            end += len(leaf.ids)
            rows.append(end - 1)
        if branch.root == past + start and len(branch.leaves) == 1 and parts:
            parts[-1] = replace(parts[-1], stop=stop)  # goes on as if it were no branch
        elif branch.tokens:
            parts.append(AttentionPart(start, stop, branch.root, _leaves_mask(branch)))
        start = stop
    return rows, parts


def _leaves_mask(branch: Branch) -> torch.Tensor | None:
    """Return what the tokens of a branch see of each other, boolean; None for one leaf: causal."""
    if len(branch.leaves) == 1:
        return None
    mask = torch.ones(branch.tokens, branch.tokens, dtype=torch.bool).tril()
    first = end = count_tokens(branch.stem)
    for leaf in branch.leaves:
        begin, end = end, end + len(leaf.ids)
        mask[begin:end, first:begin] = False
    return mask
