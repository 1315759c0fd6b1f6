# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Ways in which a live step can attend to its cache, each against float32."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from statistics import median
from time import perf_counter
from typing import Any

import torch
import torch.nn.functional as F

from topreward_ros.scoring.engine.counted_attention import StepAttention, ways_on
from topreward_ros.scoring.engine.counted_attention import Way as StepWay
from topreward_ros.scoring.engine.cuda_graphs import milliseconds
from topreward_ros.scoring.engine.qwen3_vl import Engine
from topreward_ros.scoring.engine.recorded_steps import prefix_before

Way = Callable[[], torch.Tensor]
TOKENS_PER_PAIR = 309  # at 640x480
STEP_TOKENS = 384  # a pair of frames and a question
BUCKET = 1024  # to which reads of the cache are padded


def attention_ways(
    engine: Engine, lengths: Sequence[int], *, small: bool, flex: bool = False
) -> Iterator[dict[str, Any]]:
    """Yield for each number of frames the time [ms] of a layer's attention, and its error.

    The ways are those among which recorded steps choose, and some that they do not use; or flex
    attention alone, which needs a compiler.
    """
    for frames in lengths:
        rows = 32 if small else STEP_TOKENS
        cached = rows + (frames * 4 if small else frames * TOKENS_PER_PAIR // 2)
        problem = _Problem(engine, rows, cached)
        ways: dict[str, dict[str, Any]] = {}
        chosen = {'flex': problem.flex()} if flex else problem.ways()
        for name, way in chosen.items():
            try:
                taken = _on_host(way) if small else milliseconds(way)
                ways[name] = {'ms': taken, 'error': problem.error(way())}
            except (RuntimeError, TypeError, AttributeError) as error:  # not on this device
                ways[name] = {'problem': str(error)[:200]}
        yield {'frames': frames, 'rows': rows, 'cached': cached, 'ways': ways}


class _Problem:
    """Random queries, (n, heads, size), and a cache, (key heads, bucket, size), of one layer."""

    def __init__(self, engine: Engine, rows: int, cached: int) -> None:
        shape = self._shape = engine.language.cache_shape()
        config = engine.model.model.language_model.config
        self._heads, self._group = config.num_attention_heads, config.num_attention_heads
        self._group //= shape.heads
        self._rows, self._cached = rows, cached
        bucket = -(-cached // BUCKET) * BUCKET
        torch.manual_seed(0)
        make: dict[str, Any] = {'device': shape.device, 'dtype': shape.dtype}
        self._query = torch.randn(self._heads, rows, shape.size, **make)
        self._keys, self._values = torch.randn(2, shape.heads, bucket, shape.size, **make)
        places = self._places = torch.arange(cached - rows, cached, device=shape.device)
        seen = torch.arange(bucket, device=shape.device) <= places[:, None]
        self._mask = torch.zeros(rows, bucket, **make).masked_fill(~seen, float('-inf'))
        self._truth = self._in_float32(seen[:, :cached])

    def ways(self) -> dict[str, Way]:
        own = {way.name: partial(self._step, way) for way in ways_on(self._shape, self._heads)}
        return {**own, 'grouped heads, mask': self._grouped, 'no mask, exact length': self._exact}

    def flex(self) -> Way:
        """Return flex attention to the keys in use, compiled at its first call."""
        from torch.nn.attention.flex_attention import flex_attention

        used, rows = torch.tensor([self._cached], device=self._query.device), self._rows

        def causal(score: Any, batch: Any, head: Any, row: Any, column: Any) -> Any:
            return torch.where(column <= row + used[0] - rows, score, -float('inf'))

        compiled: Any = torch.compile(flex_attention, dynamic=False)
        inputs = self._query[None], self._keys[None], self._values[None]
        return lambda: self._by_head(compiled(*inputs, score_mod=causal, enable_gqa=True)[0])

    def error(self, mixed: torch.Tensor) -> float:
        """Return the relative error of (n, heads * size)."""
        return float((mixed.float() - self._truth).norm() / self._truth.norm())

    def _step(self, way: StepWay) -> torch.Tensor:
        bucket = self._keys.shape[1]
        prefix = prefix_before(self._rows, bucket)
        step = StepAttention(way, self._places, self._places[-1:] * 0, bucket, prefix)
        with way.context():
            return step(self._query, self._keys, self._values)

    @staticmethod
    def _by_head(mixed: torch.Tensor) -> torch.Tensor:
        """Turn (heads, n, size) into (n, heads * size)."""
        return mixed.transpose(0, 1).flatten(1)

    def _grouped(self) -> torch.Tensor:
        mixed = F.scaled_dot_product_attention(
            self._query[None],
            self._keys[None],
            self._values[None],
            attn_mask=self._mask,
            enable_gqa=True,
        )
        return self._by_head(mixed[0])

    def _exact(self) -> torch.Tensor:
        from torch.nn.attention.bias import causal_lower_right

        mixed = F.scaled_dot_product_attention(
            self._query[None],
            self._keys[None, :, : self._cached],
            self._values[None, :, : self._cached],
            attn_mask=causal_lower_right(self._rows, self._cached),
            enable_gqa=True,
        )
        return self._by_head(mixed[0])

    def _in_float32(self, seen: torch.Tensor) -> torch.Tensor:
        keys, values = (
            each[:, : self._cached].repeat_interleave(self._group, 0).float()
            for each in (self._keys, self._values)
        )
        scores = self._query.float() @ keys.transpose(1, 2) / keys.shape[-1] ** 0.5
        return self._by_head(scores.masked_fill(~seen, float('-inf')).softmax(-1) @ values)


def _on_host(way: Way, repeats: int = 3) -> float:
    taken = []
    for _ in range(repeats):
        began = perf_counter()
        way()
        taken.append(1000 * (perf_counter() - began))
    return round(median(taken), 4)
