# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What fits where: the memory that the published shapes need, from their numbers of weights.

Weights are counted on the meta device, nothing is loaded. Quantization is that of bitsandbytes: the
linear layers of the language model, with a scale (float32) for 64 weights in 4 bit and for a row in
8 bit; vision tower, embeddings and output matrix stay in 16 bit. WORKING is an allowance for what
else takes memory: the CUDA context, activations, graphs and their pool.

    python -m benchmarks.memory
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import nn

from benchmarks.machine import size, write_json
from benchmarks.models import PUBLISHED
from topreward_ros.commands.arguments import whole
from topreward_ros.demo.checkpoint_files import new_model
from topreward_ros.scoring.engine.geometry import Geometry
from topreward_ros.scoring.engine.key_value_cache import CacheShape
from topreward_ros.scoring.frame_fits import FRAME_FITS

WORKING = 0.8e9  # bytes
BYTES = {'none': 2.0, '8bit': 1.0, '4bit': 0.5}  # of a quantised weight
SCALED = {'8bit': 4096, '4bit': 64}  # weights for a scale in float32; rows are that long, or longer
PREPARED = 1.5  # caches of an episode, with that of the next thinning
TIMES_AND_QUESTION = 9, 100  # tokens beside those of a pair's pictures, and of the prompt


@dataclass(frozen=True)
class Weights:
    """Numbers of weights: all, and those that are quantised; and bytes of cache for a token."""

    all: int
    quantised: int
    cache: int

    def bytes(self, quantization: str) -> float:
        """Return the memory of the weights."""
        scales = 4 / SCALED[quantization] if quantization in SCALED else 0.0
        own = self.quantised * (BYTES[quantization] + scales)
        return 2 * (self.all - self.quantised) + own


def weights_of(shape: str) -> Weights:
    """Count the weights of a published shape."""
    with tempfile.TemporaryDirectory() as folder, torch.device('meta'):
        model = new_model(Path(folder), PUBLISHED[shape])
    language = model.model.language_model
    linear = [each.weight for each in language.modules() if isinstance(each, nn.Linear)]
    tied = PUBLISHED[shape]['text']['hidden_size'] < 4096  # one matrix in and out, but in the 8B
    head = model.get_output_embeddings().weight.numel() if tied else 0
    config = language.config
    heads, size = config.num_key_value_heads, config.head_dim
    cache = CacheShape(config.num_hidden_layers, heads, size, torch.bfloat16, torch.device('meta'))
    return Weights(
        all=sum(each.numel() for each in model.parameters()) - head * _counts_twice(model),
        quantised=sum(weight.numel() for weight in linear),
        cache=cache.bytes_per_token,
    )


def _counts_twice(model: Any) -> bool:
    """Whether the output matrix of this model is another than that of its embeddings."""
    return model.get_output_embeddings().weight is not model.get_input_embeddings().weight


def tokens_of(frames: int, frame_size: tuple[int, int], frame_fit: str) -> int:
    """Return the tokens of an episode's prompt with frames of a size (width, height)."""
    width, height = frame_size
    geometry = Geometry(frame_fit=frame_fit)
    rows, columns = geometry.grid(geometry.fit_size(height, width))
    own, prompt = TIMES_AND_QUESTION
    return frames // 2 * (rows * columns + own) + prompt


def main() -> None:
    options = _parser().parse_args()
    rows = []
    for shape in PUBLISHED:
        weights = weights_of(shape)
        for quantization in BYTES:
            row: dict[str, Any] = {'shape': shape, 'quantization': quantization}
            row['weights_gb'] = weights.bytes(quantization) / 1e9
            for frame_fit in FRAME_FITS:
                tokens = tokens_of(options.frames, options.size, frame_fit)
                cache = weights.cache * tokens * PREPARED
                whole = weights.bytes(quantization) + cache + WORKING
                row[f'{frame_fit}_gb'] = whole / 1e9
            rows.append(row)
    _show(rows, options)
    facts = {'frames': str(options.frames), 'size': '{}x{}'.format(*options.size)}
    write_json(options.json, facts, rows)


def _show(rows: list[dict[str, Any]], options: argparse.Namespace) -> None:
    title = 'Memory with {} frames of {}x{} [GB]'.format(options.frames, *options.size)
    table = Table('shape', 'quantization', title=title)
    for name in ('weights', *FRAME_FITS):
        table.add_column(name, justify='right')
    for row in rows:
        numbers = (f'{row[f"{name}_gb"]:.1f}' for name in ('weights', *FRAME_FITS))
        table.add_row(row['shape'], row['quantization'], *numbers)
    Console(markup=False).print(table)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description='Memory of the published shapes, by computation.')
    parser.add_argument('--frames', type=whole, default=64, help='most frames of an episode')
    parser.add_argument('--size', type=size, default=(640, 480), help='of the camera images')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the numbers here too')
    return parser


if __name__ == '__main__':
    main()
