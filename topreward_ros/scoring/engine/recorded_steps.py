# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The steady step of a live episode in fixed shapes, captured once as a CUDA graph and replayed.

A step is one pair of frames and one question after the prefix cache. Inputs are padded to multiples
of 32 tokens; all varying inputs live in two buffers, so shapes repeat. Where attention can take the
number of keys from the device, one step serves all lengths; else cache reads are padded to 1024.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from topreward_ros.errors import first_line

from .counted_attention import PLAIN, StepAttention, Way, quickest, ways_on
from .cuda_graphs import Record, Run, milliseconds
from .fused import compiling
from .key_value_cache import KeyValueCache
from .language_model import Tokens
from .prompt import Segment, count_tokens
from .qwen3_vl import Engine
from .video import Block

TOKEN_MULTIPLE = 32  # inputs are padded to [tokens]
CACHE_MULTIPLE = 1024  # cache reads are padded to [tokens]
PREFIX_MULTIPLE = 128  # of what is read of it without a mask, a block of the kernels [tokens]
# Task texts differ in length: steps longer by up to this are prepared as well [tokens].
EXTRA_TOKENS = 32


@dataclass(frozen=True)
class StepShape:
    """Padded tokens, video tokens among them, cache read [tokens], and frame size (H, W) [px]."""

    tokens: int
    video: int
    cache_read: int
    size: tuple[int, int]


class RecordedSteps:
    """Captured steps of an engine, one per shape and cache; dropped when the cache grows.

    A shape whose capture fails is refused; the others stay.
    """

    def __init__(self, engine: Engine, record: Record, way: Way | None = None) -> None:
        """Attend in this way; by default in the one that `prepare` finds to be the quickest."""
        self._refused: set[StepShape] = set()
        self._reason = ''  # of the first refusal
        self._has_recorded = False
        self._engine = engine
        self._record = record
        self._ways = [way] if way else ways_on(engine.language.cache_shape(), engine.language.heads)
        self._way = self._ways[0]
        self.times: Mapping[str, float] = {}  # of attention in one layer, by way [ms]
        self._recorded: weakref.WeakKeyDictionary[KeyValueCache, dict[StepShape, _Step]] = (
            weakref.WeakKeyDictionary()
        )

    @property
    def count(self) -> int:
        """Number of captured steps."""
        return sum(step.is_recorded for steps in self._recorded.values() for step in steps.values())

    @property
    def problem(self) -> str:
        """Return why no step could be captured; empty if one was, or none was tried."""
        return '' if self._has_recorded else self._reason

    @property
    def mode(self) -> str:
        """How steps are run, for logs; other threads read it."""
        if self.problem:
            return f'step by step ({self.problem})'
        attention = f', attention: {self._way.name}' if len(self._ways) > 1 else ''
        if not self._refused:
            return f'CUDA graphs{attention}'
        return f'CUDA graphs{attention}, but for {len(self._refused)} shapes ({self._reason})'

    def forward(self, segments: Sequence[Segment], cache: KeyValueCache) -> torch.Tensor | None:
        """Return the hidden state (1, hidden) of the last token, equal to that of `Engine.forward`.

        The segments are appended to the cache. None, with the cache unchanged, where the step is
        not a steady one (a single block) or cannot be captured, or is an episode's first, which has
        more tokens, and none of this shape was captured before.
        """
        block = _only_block(segments)
        if block is None:
            return None
        padded = _round_up(count_tokens(segments), TOKEN_MULTIPLE)
        cache_read = self._read(cache.length + padded, cache)
        shape = _shape(segments, block, padded, cache_read)
        if shape in self._refused or not (cache.length or self._has(cache, shape)):
            return None
        step = self._step(cache, shape)
        step.fill(segments, block, cache.length)
        hidden = self._run(step, cache, shape)
        if hidden is not None:
            cache.append(count_tokens(segments))
        return hidden

    def prepare(self, segments: Sequence[Segment], cache: KeyValueCache, most: int) -> None:
        """Capture such steps, and slightly longer ones, up to a prefix of `most` tokens.

        The cache must be empty.
        """
        block = _only_block(segments)
        assert block is not None and not cache.length
        least = _round_up(count_tokens(segments), TOKEN_MULTIPLE)
        longest = most + least + EXTRA_TOKENS
        self._choose(least, longest)
        way = self._way
        cache.reserve(self._read(longest, cache))
        for padded in range(least, least + EXTRA_TOKENS + 1, TOKEN_MULTIPLE):
            for cache_read in self._reads(padded + 1, cache):
                shape = _shape(segments, block, padded, cache_read)
                step = self._step(cache, shape)
                step.fill(segments, block, cache_read - padded)
                if self._run(step, cache, shape) is None and self.problem:
                    return  # not even the first
                if self._way is not way:
                    return self.prepare(segments, cache, most)
        return None

    def _choose(self, tokens: int, cached: int) -> None:
        """Choose how to attend by measuring it, once: the recorded steps depend on it."""
        if len(self._ways) == 1 or self.times:
            return
        shape, heads = self._engine.language.cache_shape(), self._engine.language.heads
        lengths = tokens, cached, prefix_before(tokens, cached)
        with compiling():
            self._way, self.times = quickest(self._ways, shape, lengths, heads, milliseconds)

    def _read(self, tokens: int, cache: KeyValueCache) -> int:
        """Return how many cached tokens a step is to be given that needs so many."""
        if self._way.counted is not None:
            return max(tokens, cache.capacity)
        return _round_up(tokens, CACHE_MULTIPLE)

    def _reads(self, least: int, cache: KeyValueCache) -> Sequence[int]:
        """Return all of those that prefixes need, up to the cache's capacity."""
        if self._way.counted is not None:
            return [cache.capacity]
        return range(_round_up(least, CACHE_MULTIPLE), cache.capacity + 1, CACHE_MULTIPLE)

    def _has(self, cache: KeyValueCache, shape: StepShape) -> bool:
        step = self._recorded.get(cache, {}).get(shape)
        return step is not None and step.is_recorded and step.capacity == cache.capacity

    def _step(self, cache: KeyValueCache, shape: StepShape) -> _Step:
        if shape.cache_read > cache.capacity:
            self._recorded.pop(cache, None)  # its memory is about to be replaced
            cache.grow(shape.cache_read)
        steps = self._recorded.setdefault(cache, {})
        if any(step.capacity != cache.capacity for step in steps.values()):
            steps.clear()
        if shape not in steps:
            steps[shape] = _Step(self._engine, cache, shape, self._way, self._record)
        return steps[shape]

    def _run(self, step: _Step, cache: KeyValueCache, shape: StepShape) -> torch.Tensor | None:
        if step.is_recorded:
            return step()
        try:
            hidden = step()
        except RuntimeError as error:  # not capturable, or out of memory
            del self._recorded[cache][shape]
            if self._way.counted is not None and not self._has_recorded:
                # The others are tried before steps are run eagerly
                self._ways = [way for way in self._ways if way.counted is None] or [PLAIN]
                self._way, self.times = self._ways[0], {}
                return None
            self._refused.add(shape)
            self._reason = self._reason or f'a step could not be recorded: {first_line(error)}'
            return None
        self._has_recorded = True
        return hidden


class _Step:
    """The input buffers of one shape, and the captured call that reads them.

    It refers to the cache's memory, not to the cache, so it is dropped together with the cache.
    """

    def __init__(
        self, engine: Engine, cache: KeyValueCache, shape: StepShape, way: Way, record: Record
    ) -> None:
        self.capacity = cache.capacity
        self._shape = shape
        # ids, cache slots and three axes of positions; then indices of video tokens, and the row
        count = 5 * shape.tokens + shape.video + 1
        pinned = engine.device.type == 'cuda'
        self._numbers = torch.zeros(count, dtype=torch.long, pin_memory=pinned)
        self._frames = torch.zeros(1, 2, *shape.size, 3, dtype=torch.uint8, pin_memory=pinned)
        self._on_device = tuple(
            torch.empty_like(buffer, device=engine.device, pin_memory=False)
            for buffer in (self._numbers, self._frames)
        )
        self._copied = torch.cuda.Event() if pinned else None
        self._engine = engine
        self._layers = [cache.layer(k, shape.cache_read) for k in range(engine.language.layers)]
        self._way = way
        self._record = record
        self._recorded: Run | None = None

    @property
    def is_recorded(self) -> bool:
        return self._recorded is not None

    def fill(self, segments: Sequence[Segment], block: Block, past: int) -> None:
        """Write the inputs of a step after `past` cached tokens into the host buffers."""
        if self._copied is not None:
            self._copied.synchronize()  # the previous copy to the device has finished
        for mine, frame in zip(self._frames[0], block.frames, strict=True):
            mine.copy_(frame)
        count, size = count_tokens(segments), self._shape.tokens
        ids, slots, *axes = self._numbers[: 5 * size].view(5, size)
        ids.zero_()
        ids[:count] = torch.tensor([token for segment in segments for token in segment.ids])
        torch.arange(past, past + size, out=slots)
        positions = torch.cat([segment.positions for segment in segments], dim=1)
        for axis, values in zip(axes, positions, strict=True):
            axis[:count] = values
            axis[count:] = values[-1]
        start = 0
        for segment in segments:
            if segment.block is not None:
                first, last = segment.visual
                self._numbers[5 * size : -1] = torch.arange(start + first, start + last)
            start += len(segment.ids)
        self._numbers[-1] = count - 1

    def __call__(self) -> torch.Tensor:
        """Run the step; the output is valid until the next step of any shape."""
        for on_device, on_host in zip(self._on_device, (self._numbers, self._frames), strict=True):
            on_device.copy_(on_host, non_blocking=True)
        if self._copied is not None:
            self._copied.record()
        if self._recorded is None:  # after the copy: slots of zero would overwrite the prefix
            self._recorded = self._record(self._run)
        return self._recorded()

    def _run(self) -> torch.Tensor:
        numbers, frames = self._on_device
        size = self._shape.tokens
        ids, slots = numbers[: 2 * size].view(2, size)
        tokens = Tokens(
            ids=ids,
            positions=numbers[2 * size : 5 * size].view(3, size),
            visual=numbers[5 * size : -1],
            rows=numbers[-1:],
            attention=StepAttention(
                self._way,
                slots,
                numbers[-1:],
                self._shape.cache_read,
                prefix_before(size, self._shape.cache_read),
            ),
        )
        with self._way.context(), compiling():
            return self._engine.run(tokens, frames, _SlotWriter(self._layers, slots))


class _SlotWriter:
    """Writes to given cache slots and returns a fixed length, whose unused end attention hides."""

    def __init__(
        self, layers: Sequence[tuple[torch.Tensor, torch.Tensor]], slots: torch.Tensor
    ) -> None:
        self._layers = layers
        self._slots = slots

    def write(
        self, layer: int, keys: torch.Tensor, values: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """See `CacheWriter`."""
        all_keys, all_values = self._layers[layer]
        all_keys.index_copy_(1, self._slots, keys)
        all_values.index_copy_(1, self._slots, values)
        return all_keys, all_values


def _only_block(segments: Sequence[Segment]) -> Block | None:
    """Return the block of the segments if there is exactly one."""
    blocks = [segment.block for segment in segments if segment.block is not None]
    return blocks[0] if len(blocks) == 1 else None


def _shape(segments: Sequence[Segment], block: Block, padded: int, cache_read: int) -> StepShape:
    video = sum(segment.visual[1] - segment.visual[0] for segment in segments)
    height, width, _ = block.frames[0].shape
    return StepShape(padded, video, cache_read, (height, width))


def prefix_before(tokens: int, cache_read: int) -> int:
    """Return how many cached tokens come before the new ones of every step of this shape."""
    return max(0, cache_read - CACHE_MULTIPLE - tokens) // PREFIX_MULTIPLE * PREFIX_MULTIPLE


def _round_up(count: int, step: int) -> int:
    return -(-count // step) * step
