# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The step that a live episode takes again and again, in fixed shapes, so that it can be recorded.

One pair of frames and one question, after a cache that grows: padded to whole numbers of tokens,
reading the cache in whole buckets, everything that varies in two buffers. Such a step is the same
sequence of kernels every time, and a CUDA graph launches it at once.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from .cuda_graphs import Record, Run
from .key_value_cache import KeyValueCache
from .language_model import Tokens
from .prompt import Segment, count_tokens
from .qwen3_vl import Engine
from .video import Block

PADDED_TO = 32  # [tokens]
BUCKET = 1024  # of the cache that is read [tokens]
# Tasks are of different lengths: steps longer by up to this are prepared too [tokens].
LONGER = 32


@dataclass(frozen=True)
class Shape:
    """Tokens run, video tokens among them, cache read [tokens], and the frames' size [px]."""

    tokens: int
    video: int
    bucket: int
    size: tuple[int, int]


class RecordedSteps:
    """Steps of an engine, recorded once for each shape and cache, until the cache grows.

    problem says why nothing can be recorded after all, once that has turned out.
    """

    def __init__(self, engine: Engine, record: Record) -> None:
        self.problem = ''
        self._engine = engine
        self._record = record
        self._recorded: weakref.WeakKeyDictionary[KeyValueCache, dict[Shape, _Step]] = (
            weakref.WeakKeyDictionary()
        )

    @property
    def count(self) -> int:
        """How many steps are recorded."""
        return sum(len(steps) for steps in self._recorded.values())

    def forward(self, segments: Sequence[Segment], cache: KeyValueCache) -> torch.Tensor | None:
        """The hidden state (1, hidden) of the last token, as `Engine.forward` would give it.

        None where this is not a step of the steady kind, a single block behind a cache that has
        begun, or where it cannot be recorded. Afterwards the cache holds the segments too.
        """
        block = _only_block(segments)
        if block is None or not cache.length or self.problem:
            return None
        padded = _round_up(count_tokens(segments), PADDED_TO)
        shape = _shape(segments, block, padded, _round_up(cache.length + padded, BUCKET))
        step = self._step(cache, shape)
        step.fill(segments, block, cache.length)
        hidden = self._run(step)
        if hidden is not None:
            cache.append(count_tokens(segments))
        return hidden

    def prepare(self, segments: Sequence[Segment], cache: KeyValueCache, most: int) -> None:
        """Record all steps such as this one, and somewhat longer ones, for an empty cache that
        comes to hold up to `most` tokens.
        """
        block = _only_block(segments)
        assert block is not None and not cache.length
        least = _round_up(count_tokens(segments), PADDED_TO)
        cache.reserve(_round_up(most + least + LONGER, BUCKET))
        for padded in range(least, least + LONGER + 1, PADDED_TO):
            for bucket in range(_round_up(padded + 1, BUCKET), cache.room + 1, BUCKET):
                step = self._step(cache, _shape(segments, block, padded, bucket))
                step.fill(segments, block, bucket - padded)
                if self._run(step) is None:
                    return

    def _step(self, cache: KeyValueCache, shape: Shape) -> _Step:
        if shape.bucket > cache.room:
            self._recorded.pop(cache, None)  # its memory will be another
            cache.reserve(shape.bucket)
        steps = self._recorded.setdefault(cache, {})
        if any(step.room != cache.room for step in steps.values()):
            steps.clear()
        if shape not in steps:
            steps[shape] = _Step(self._engine, cache, shape, self._record)
        return steps[shape]

    def _run(self, step: _Step) -> torch.Tensor | None:
        if step.is_recorded:
            return step()
        try:
            return step()
        except RuntimeError as error:  # what cannot be captured, and no memory for it
            self.problem = f'a step could not be recorded: {str(error).splitlines()[0]}'
            self._recorded.clear()
            return None


class _Step:
    """One shape: the buffers that it reads, and the recorded call.

    It refers to the cache's memory, not to the cache: it goes when the cache goes.
    """

    def __init__(self, engine: Engine, cache: KeyValueCache, shape: Shape, record: Record) -> None:
        self.room = cache.room
        self._shape = shape
        # ids, places in the cache, three axes of positions; then video tokens, and the row
        count = 5 * shape.tokens + shape.video + 1
        pinned = engine.device.type == 'cuda'
        self._numbers = torch.zeros(count, dtype=torch.long, pin_memory=pinned)
        self._frames = torch.zeros(1, 2, 3, *shape.size, dtype=torch.uint8, pin_memory=pinned)
        self._on_device = tuple(
            torch.empty_like(buffer, device=engine.device, pin_memory=False)
            for buffer in (self._numbers, self._frames)
        )
        self._sent = torch.cuda.Event() if pinned else None
        self._engine = engine
        self._layers = [cache.layer(k, shape.bucket) for k in range(engine.language.layers)]
        self._record = record
        self._recorded: Run | None = None

    @property
    def is_recorded(self) -> bool:
        return self._recorded is not None

    def fill(self, segments: Sequence[Segment], block: Block, past: int) -> None:
        """Write what is to be run into the buffers."""
        if self._sent is not None:
            self._sent.synchronize()  # what was sent before has left them
        self._frames[0] = block.frames
        count, size = count_tokens(segments), self._shape.tokens
        ids, where, *axes = self._numbers[: 5 * size].view(5, size)
        ids.zero_()
        ids[:count] = torch.tensor([token for segment in segments for token in segment.ids])
        torch.arange(past, past + size, out=where)
        positions = torch.cat([segment.positions for segment in segments], dim=1)
        for axis, known in zip(axes, positions, strict=True):
            axis[:count] = known
            axis[count:] = known[-1]
        start = 0
        for segment in segments:
            if segment.block is not None:
                first, last = segment.visual
                self._numbers[5 * size : -1] = torch.arange(start + first, start + last)
            start += len(segment.ids)
        self._numbers[-1] = count - 1

    def __call__(self) -> torch.Tensor:
        """Run it; what comes out is valid until the next step of any shape."""
        for there, here in zip(self._on_device, (self._numbers, self._frames), strict=True):
            there.copy_(here, non_blocking=True)
        if self._sent is not None:
            self._sent.record()
        if self._recorded is None:  # only now: places of zero would overwrite the cache
            self._recorded = self._record(self._run)
        return self._recorded()

    def _run(self) -> torch.Tensor:
        numbers, frames = self._on_device
        size = self._shape.tokens
        ids, where = numbers[: 2 * size].view(2, size)
        tokens = Tokens(
            ids=ids,
            positions=numbers[2 * size : 5 * size].view(3, size),
            visual=numbers[5 * size : -1],
            rows=numbers[-1:],
            mask=torch.arange(self._shape.bucket, device=numbers.device) <= where[:, None],
        )
        return self._engine.run(tokens, frames, _InPlace(self._layers, where))


class _InPlace:
    """Writes where it is told, and reads a whole bucket; the mask hides what is not there."""

    def __init__(
        self, layers: Sequence[tuple[torch.Tensor, torch.Tensor]], where: torch.Tensor
    ) -> None:
        self._layers = layers
        self._where = where

    def put(
        self, layer: int, keys: torch.Tensor, values: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """As `cache.Writer`."""
        all_keys, all_values = self._layers[layer]
        all_keys.index_copy_(1, self._where, keys)
        all_values.index_copy_(1, self._where, values)
        return all_keys, all_values


def _only_block(segments: Sequence[Segment]) -> Block | None:
    """The block of segments that hold one, and no more."""
    blocks = [segment.block for segment in segments if segment.block is not None]
    return blocks[0] if len(blocks) == 1 else None


def _shape(segments: Sequence[Segment], block: Block, padded: int, bucket: int) -> Shape:
    video = sum(segment.visual[1] - segment.visual[0] for segment in segments)
    height, width = block.frames.shape[-2:]
    return Shape(padded, video, bucket, (height, width))


def _round_up(count: int, step: int) -> int:
    return -(-count // step) * step
