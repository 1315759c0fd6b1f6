# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A prompt's beginning, run once and kept, and what is tried after it and cut off again.

Attention is causal, so the keys and values of a prefix never change when something follows. What
is asked of it, such as a question or a candidate answer, is a branch: it sees the prefix and
itself, is run many at a time, and leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from topreward_ros.errors import ModelError

from .key_value_cache import KeyValueCache
from .prompt import Segment, count_tokens
from .qwen3_vl import Engine
from .recorded_steps import RecordedSteps

# Segments of a long prefix that are run at once: bounds the memory of one forward.
SEGMENTS_PER_FORWARD = 8


@dataclass(frozen=True)
class Branch:
    """What follows the first `root` tokens of a prefix.

    The stem is shared by the leaves. A leaf sees the root, the stem and itself, no other leaf.
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
    """The keys and values of one prefix, in a cache borrowed from the engine at its first use."""

    def __init__(self, engine: Engine, recorded: RecordedSteps | None = None) -> None:
        """recorded replays steps of one branch with one leaf, where they can be recorded."""
        self._engine = engine
        self._recorded = recorded
        self._cache: KeyValueCache | None = None

    @property
    def length(self) -> int:
        """Tokens in the prefix."""
        return 0 if self._cache is None else self._cache.length

    def extend(self, segments: Sequence[Segment], rows: Sequence[int] = ()) -> torch.Tensor:
        """Run segments and keep them; return the hidden states of these rows, (rows, hidden)."""
        with self._engine.on_device():
            return self._engine.forward(segments, self._borrowed(), rows)

    def prefill(self, segments: Sequence[Segment]) -> list[Segment]:
        """Run and keep all but the last SEGMENTS_PER_FORWARD segments; return those."""
        waiting = list(segments)
        while len(waiting) > SEGMENTS_PER_FORWARD:
            self.extend(waiting[:SEGMENTS_PER_FORWARD])
            waiting = waiting[SEGMENTS_PER_FORWARD:]
        return waiting

    def ask(
        self,
        new: Sequence[Segment],
        branches: Sequence[Branch],
        rows: Sequence[int] | None = None,
    ) -> torch.Tensor:
        """Run new segments, which are kept, and branches, which are not, in one forward.

        A root counts the tokens of the new segments too. Returns the hidden states of the last
        token of each leaf, in order, or of these rows of the whole run, (rows, hidden).
        """
        cache = self._borrowed()
        kept = cache.length + count_tokens(new)
        segments = [*new, *(s for branch in branches for s in branch.segments)]
        with self._engine.on_device():
            hidden = self._replayed(segments, branches, cache) if rows is None else None
            if hidden is None:
                leaves, mask = branch_mask(cache.length, count_tokens(new), branches)
                hidden = self._engine.forward(segments, cache, rows or leaves, mask)
        cache.cut(kept)
        return hidden

    def clear(self) -> None:
        """Forget the prefix; the memory stays."""
        if self._cache is not None:
            self._cache.cut(0)

    def discard(self) -> None:
        """Drop the memory too: nobody shall read what is in it."""
        self._cache = None

    def close(self) -> None:
        """Return the cache to the engine."""
        if self._cache is not None:
            self._engine.give_back(self._cache)
            self._cache = None

    def _borrowed(self) -> KeyValueCache:
        if self._cache is None:
            self._cache = self._engine.borrow_cache()
        return self._cache

    def _replayed(
        self, segments: Sequence[Segment], branches: Sequence[Branch], cache: KeyValueCache
    ) -> torch.Tensor | None:
        if self._recorded is None or len(branches) != 1 or len(branches[0].leaves) != 1:
            return None
        return self._recorded.forward(segments, cache)


@contextmanager
def prefix_cache(engine: Engine) -> Iterator[PrefixCache]:
    """A prefix for a while; after a ModelError nobody shall read what is in its memory."""
    prefix = PrefixCache(engine)
    try:
        yield prefix
    except ModelError:
        prefix.discard()
        raise
    finally:
        prefix.close()


def branch_mask(past: int, new: int, branches: Sequence[Branch]) -> tuple[list[int], torch.Tensor]:
    """The last row of each leaf, and the boolean mask (n, past + n) of `ask`.

    True where a token may look: new tokens see all before them; a branch sees its root, its stem
    and, of its leaves, each only itself.
    """
    count = new + sum(branch.tokens for branch in branches)
    mask = torch.zeros(count, past + count, dtype=torch.bool)
    mask[:new, : past + new] = torch.ones(new, past + new, dtype=torch.bool).tril(past)
    rows, start = [], new
    for branch in branches:
        stop = start + branch.tokens
        own = torch.ones(branch.tokens, branch.tokens, dtype=torch.bool).tril()
        mask[start:stop, : branch.root] = True
        mask[start:stop, past + start : past + stop] = own
        first = end = start + count_tokens(branch.stem)
        for leaf in branch.leaves:
            begin, end = end, end + len(leaf.ids)
            mask[begin:end, past + first : past + begin] = False
            rows.append(end - 1)
        start = stop
    return rows, mask
