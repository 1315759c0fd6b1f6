# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Error of scores in low precision, with streaming and with recompute.

The reference is recompute in float32. Streaming in bfloat16 must not deviate more than recompute in
bfloat16 does: cached values are rounded once, as they would be anyway.

    python -m benchmarks.precision
    python -m benchmarks.precision --shape qwen3-vl-8b --size 640x480      # random weights, a GPU
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.machine import show_facts, write_json
from benchmarks.models import FPS, add_model_arguments, facts, forget, load
from topreward_ros.commands.arguments import whole
from topreward_ros.demo.drawing import SceneRenderer
from topreward_ros.demo.scene import SceneEpisode as WorldEpisode
from topreward_ros.scoring.loading.checkpoint import Checkpoint, torch_dtype
from topreward_ros.scoring.loading.float8 import use_float8
from topreward_ros.scoring.reward_models.topreward.recompute import RecomputeScorer
from topreward_ros.scoring.reward_models.topreward.streaming import StreamingScorer
from topreward_ros.scoring.score import Scorer

KINDS: dict[str, Callable[[Checkpoint], Scorer]] = {
    'streaming': StreamingScorer,
    'recompute': RecomputeScorer,
}


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    reference_options = argparse.Namespace(**{**vars(options), 'dtype': 'float32'})
    checkpoint = load(reference_options)
    settings = {
        **facts(checkpoint, options),
        'dtype': options.dtype,
        'prefixes': str(options.prefixes),
    }
    reference = _scores('reference', RecomputeScorer(checkpoint), options)
    for weights in checkpoint.model.parameters():  # the same weights, rounded; buffers stay
        weights.data = weights.data.to(torch_dtype(options.dtype, weights.device))
    rows = [
        _row(name, _scores(name, kind(checkpoint), options), reference)
        for name, kind in KINDS.items()
    ]
    if options.float8:
        use_float8(checkpoint.model)
        scores = _scores('float8', StreamingScorer(checkpoint), options)
        rows.append(_row('streaming, decoder in float8', scores, reference))
    _show(settings, rows)
    write_json(options.json, settings, rows)
    forget()  # the weights are rounded


def _scores(name: str, scorer: Scorer, options: argparse.Namespace) -> np.ndarray:
    """Return log P of the prefixes of several clips."""
    values: list[float] = []
    clips = -(-options.prefixes // options.frames)
    for seed in track(range(clips), name, console=Console(stderr=True)):
        episode = WorldEpisode(seed)
        attempt = scorer.start(episode.task.say())
        for k, image in enumerate(_clip(episode, options)):
            attempt.append(image, k / FPS)
            values.append(attempt.score().value)
        attempt.close()
    return np.array(values[: options.prefixes])


def _clip(episode: WorldEpisode, options: argparse.Namespace) -> Iterator[np.ndarray]:
    width, height = options.size
    camera = SceneRenderer(height, width, episode.appearance)
    for time in episode.times(options.frames):
        yield camera.take(episode.state(float(time)))


def _row(name: str, scores: np.ndarray, reference: np.ndarray) -> dict[str, Any]:
    error = np.abs(scores - reference)
    return {
        'way': name,
        'mean_nat': float(error.mean()),
        'worst_nat': float(error.max()),
        'log_prob_range': [float(reference.min()), float(reference.max())],
    }


def _show(settings: dict[str, str], rows: Sequence[dict[str, Any]]) -> None:
    console = Console(markup=False)
    show_facts(console, settings)
    table = Table('', title='Difference to recompute in float32 [nat]')
    for heading in ('mean', 'worst'):
        table.add_column(heading, justify='right')
    for row in rows:
        table.add_row(row['way'], f'{row["mean_nat"]:.5f}', f'{row["worst_nat"]:.5f}')
    console.print(table)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description='Error of scores in low precision.')
    add_model_arguments(parser)
    parser.set_defaults(dtype='bfloat16')
    parser.add_argument(
        '--prefixes', type=whole, default=200, help='prefixes of all clips together'
    )
    parser.add_argument('--frames', type=whole, default=40, help='frames of a clip')
    parser.add_argument('--float8', action='store_true', help='also the decoder in 8-bit floats')
    return parser


if __name__ == '__main__':
    main()
