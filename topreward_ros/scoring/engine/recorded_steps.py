# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The steady step of a live episode in fixed shapes, captured once as a CUDA graph and replayed.

A step is one pair of frames and one question after the prefix cache. Inputs are padded to multiples
of 32 tokens and cache reads to 1024; all varying inputs live in two buffers, so shapes repeat.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from topreward_ros.errors import first_line

from .cuda_graphs import Record, Run
from .key_value_cache import KeyValueCache
from .language_model import Tokens
from .prompt import Segment, count_tokens
from .qwen3_vl import Engine
from .video import Block

TOKEN_MULTIPLE = 32  # inputs are padded to [tokens]
CACHE_MULTIPLE = 1024  # cache reads are padded to [tokens]
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

    def __init__(self, engine: Engine, record: Record) -> None:
        self._refused: set[StepShape] = set()
        self._reason = ''  # of the first refusal
        self._has_recorded = False
        self._engine = engine
        self._record = record
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
        if not self._refused:
            return 'CUDA graphs'
        return f'CUDA graphs, but for {len(self._refused)} shapes ({self._reason})'

    def forward(self, segments: Sequence[Segment], cache: KeyValueCache) -> torch.Tensor | None:
        """Return the hidden state (1, hidden) of the last token, equal to that of `Engine.forward`.

        The segments are appended to the cache. None, with the cache unchanged, where the step is
        not a steady one (a single block after a non-empty cache) or cannot be captured.
        """
        block = _only_block(segments)
        if block is None or not cache.length:
            return None
        padded = _round_up(count_tokens(segments), TOKEN_MULTIPLE)
        shape = _shape(segments, block, padded, _round_up(cache.length + padded, CACHE_MULTIPLE))
        if shape in self._refused:
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
        cache.reserve(_round_up(most + least + EXTRA_TOKENS, CACHE_MULTIPLE))
        for padded in range(least, least + EXTRA_TOKENS + 1, TOKEN_MULTIPLE):
            first = _round_up(padded + 1, CACHE_MULTIPLE)
            for cache_read in range(first, cache.capacity + 1, CACHE_MULTIPLE):
                shape = _shape(segments, block, padded, cache_read)
                step = self._step(cache, shape)
                step.fill(segments, block, cache_read - padded)
                if self._run(step, cache, shape) is None and self.problem:
                    return  # not even the first

    def _step(self, cache: KeyValueCache, shape: StepShape) -> _Step:
        if shape.cache_read > cache.capacity:
            self._recorded.pop(cache, None)  # its memory is about to be replaced
            cache.grow(shape.cache_read)
        steps = self._recorded.setdefault(cache, {})
        if any(step.capacity != cache.capacity for step in steps.values()):
            steps.clear()
        if shape not in steps:
            steps[shape] = _Step(self._engine, cache, shape, self._record)
        return steps[shape]

    def _run(self, step: _Step, cache: KeyValueCache, shape: StepShape) -> torch.Tensor | None:
        if step.is_recorded:
            return step()
        try:
            hidden = step()
        except RuntimeError as error:  # not capturable, or out of memory
            self._refused.add(shape)
            self._reason = self._reason or f'a step could not be recorded: {first_line(error)}'
            del self._recorded[cache][shape]
            return None
        self._has_recorded = True
        return hidden


class _Step:
    """The input buffers of one shape, and the captured call that reads them.

    It refers to the cache's memory, not to the cache, so it is dropped together with the cache.
    """

    def __init__(
        self, engine: Engine, cache: KeyValueCache, shape: StepShape, record: Record
    ) -> None:
        self.capacity = cache.capacity
        self._shape = shape
        # ids, cache slots and three axes of positions; then indices of video tokens, and the row
        count = 5 * shape.tokens + shape.video + 1
        pinned = engine.device.type == 'cuda'
        self._numbers = torch.zeros(count, dtype=torch.long, pin_memory=pinned)
        self._frames = torch.zeros(1, 2, 3, *shape.size, dtype=torch.uint8, pin_memory=pinned)
        self._on_device = tuple(
            torch.empty_like(buffer, device=engine.device, pin_memory=False)
            for buffer in (self._numbers, self._frames)
        )
        self._copied = torch.cuda.Event() if pinned else None
        self._engine = engine
        self._layers = [cache.layer(k, shape.cache_read) for k in range(engine.language.layers)]
        self._record = record
        self._recorded: Run | None = None

    @property
    def is_recorded(self) -> bool:
        return self._recorded is not None

    def fill(self, segments: Sequence[Segment], block: Block, past: int) -> None:
        """Write the inputs of a step after `past` cached tokens into the host buffers."""
        if self._copied is not None:
            self._copied.synchronize()  # the previous copy to the device has finished
        self._frames[0] = block.frames
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
            mask=torch.arange(self._shape.cache_read, device=numbers.device) <= slots[:, None],
        )
        return self._engine.run(tokens, frames, _SlotWriter(self._layers, slots))


class _SlotWriter:
    """Writes to given cache slots and returns a fixed length, whose unused end the mask hides."""

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
    height, width = block.frames.shape[-2:]
    return StepShape(padded, video, cache_read, (height, width))


def _round_up(count: int, step: int) -> int:
    return -(-count // step) * step
