# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Time of a live score compared with the lower bound of the machine.

The memory bandwidth (a large copy, bytes read and written) and the matrix rate (a large square
product in the dtype of the weights) are measured first. A step needs a number of floating-point
operations, and reads every weight and the cache once; the longer of the two times is its floor.
Other work of a step is not counted: norms, rotary embeddings, masks and padding.

    python -m benchmarks.floor
    python -m benchmarks.floor --shape qwen3-vl-8b --size 640x480      # random weights, a GPU
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.machine import show_facts, write_json
from benchmarks.models import (
    FPS,
    TASK,
    add_model_arguments,
    facts,
    frames,
    load,
    streaming_scorer,
    synchronize,
)
from topreward_ros.commands.arguments import whole
from topreward_ros.scoring.loading.checkpoint import Checkpoint
from topreward_ros.scoring.reward_models.topreward.streaming import StreamingScorer


@dataclass(frozen=True)
class Rates:
    """Rates of the machine: bytes and floating-point operations per second."""

    bandwidth: float
    operations: float


@dataclass(frozen=True)
class Work:
    """Work of a step: floating-point operations, and bytes to read."""

    operations: float
    bytes: float

    def floor(self, rates: Rates) -> float:
        """Return the lower bound of the time of a step [s]."""
        return max(self.operations / rates.operations, self.bytes / rates.bandwidth)


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    checkpoint = load(options)
    weights = next(checkpoint.model.parameters())
    rates = _rates(weights.device, weights.dtype)
    scorer = streaming_scorer(options, max(options.lengths))
    settings = {
        **facts(checkpoint, options),
        'steps': scorer.mode,
        'memory bandwidth': f'{rates.bandwidth / 1e9:.1f} GB/s',
        'matrix rate': f'{rates.operations / 1e12:.3f} TFLOP/s',
    }
    rows = []
    for length in track(sorted(set(options.lengths)), 'measuring', console=Console(stderr=True)):
        seconds = _measure(scorer, length, options)
        tokens = _tokens(scorer, length, options)
        work = _work(checkpoint, *tokens)
        floor = work.floor(rates)
        rows.append(
            {
                'frames': length,
                'gflop': work.operations / 1e9,
                'mbytes': work.bytes / 1e6,
                'floor_ms': 1000 * floor,
                'measured_ms': 1000 * seconds,
                'ratio': seconds / floor,
            }
        )
    _show(settings, rows)
    write_json(options.json, settings, rows)


def _rates(device: torch.device, dtype: torch.dtype) -> Rates:
    large = device.type == 'cuda'
    side = 8192 if large else 2048
    a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    source = torch.randn(2**28 if large else 2**26, device=device)
    target = torch.empty_like(source)
    copied = 2 * source.numel() * source.element_size()
    return Rates(
        copied / _time(lambda: target.copy_(source)), 2 * side**3 / _time(lambda: torch.mm(a, b))
    )


def _time(call: Callable[[], Any], repeats: int = 10) -> float:
    """Return the shortest time of several calls [s], as it gives the highest rate."""
    seconds = []
    for _ in range(repeats + 2):
        synchronize()
        began = time.perf_counter()
        call()
        synchronize()
        seconds.append(time.perf_counter() - began)
    return min(seconds[2:])


def _measure(scorer: StreamingScorer, length: int, options: argparse.Namespace) -> float:
    """Return the mean time of the scores at length - 1 and length, median over repeats [s]."""
    clip = frames(length, *options.size)
    seconds = []
    for _ in range(options.repeats + 1):
        episode, steps = scorer.start(TASK), []
        for n, frame in enumerate(clip, start=1):
            synchronize()
            began = time.perf_counter()
            episode.append(frame, (n - 1) / FPS)
            if n in (1, length - 2, length - 1, length):
                episode.score()
            synchronize()
            steps.append(time.perf_counter() - began)
        episode.close()
        seconds.append(fmean(steps[-2:]))
    return median(seconds[1:])


def _tokens(
    scorer: StreamingScorer, length: int, options: argparse.Namespace
) -> tuple[int, int, int]:
    """Return the tokens run by a step, those they attend to, and patches of a pair of frames."""
    width, height = options.size
    geometry = scorer.engine.geometry
    size = geometry.fit_size(height, width)
    rows, columns = geometry.grid(size)
    block = len(scorer.layout.tokens.block(length / FPS, rows * columns)[0])
    question = len(scorer.layout.ask(TASK, 0).ids)
    run = block + question
    context = len(scorer.layout.header().ids) + (length + 1) // 2 * block + question
    return run, context, size[0] * size[1] // geometry.patch**2


def _work(checkpoint: Checkpoint, run: int, context: int, patches: int) -> Work:
    model, config = checkpoint.model.model, checkpoint.model.config
    text, vision = config.text_config, config.vision_config
    layers = model.language_model.layers
    layer = _count(layers[0])
    cached = _count(layers[0].self_attn.k_proj) + _count(layers[0].self_attn.v_proj)
    head = checkpoint.model.get_output_embeddings().weight.numel()
    # Every layer caches all tokens; the last layer computes only the last token's output
    uncached = layer - cached
    products = run * (len(layers) * cached + (len(layers) - 1) * uncached) + uncached + head
    heads = text.num_attention_heads * layers[0].self_attn.head_dim
    attended = context - run / 2  # on average, by the causal mask
    attention = 2 * heads * (run * (len(layers) - 1) * attended + context)
    tower = _count(model.visual) - model.visual.pos_embed.weight.numel()
    merged = sum(_count(m) for m in (model.visual.merger, *model.visual.deepstack_merger_list))
    share = config.vision_config.spatial_merge_size**2
    vision_products = patches * (tower - merged) + patches / share * merged
    vision_products += 2 * patches**2 * vision.hidden_size * vision.depth
    itemsize = layers[0].input_layernorm.weight.element_size()
    keys = 2 * len(layers) * text.num_key_value_heads * layers[0].self_attn.head_dim * context
    read = len(layers) * layer + head + tower + keys
    return Work(2 * (products + attention + vision_products), itemsize * read)


def _count(module: Any) -> int:
    return sum(weight.numel() for weight in module.parameters())


def _show(settings: dict[str, str], rows: Sequence[dict[str, Any]]) -> None:
    console = Console(markup=False)
    show_facts(console, settings)
    table = Table('frames', title='A live score and its floor')
    for heading in ('GFLOP', 'MB read', 'floor [ms]', 'measured [ms]', 'ratio'):
        table.add_column(heading, justify='right')
    for row in rows:
        keys = ('gflop', 'mbytes', 'floor_ms', 'measured_ms', 'ratio')
        table.add_row(str(row['frames']), *(f'{row[key]:.1f}' for key in keys))
    console.print(table)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description='Time of a live score, and its lower bound.')
    add_model_arguments(parser)
    parser.add_argument('--lengths', type=whole, nargs='+', default=[16, 64])
    parser.add_argument('--repeats', type=whole, default=5)
    return parser


if __name__ == '__main__':
    main()
