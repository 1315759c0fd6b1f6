# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Cost of one live score of each reward model, against the recompute of its reference.

As `benchmarks.live_step`: the mean of the scores at n-1 and n frames, streaming and recompute in
turn on the same frames, medians over walks of which the first is not counted.

    python -m benchmarks.reward_models
    python -m benchmarks.reward_models --models robometer --lengths 8 64
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.live_step import StepMeasurements, row_of, walk
from benchmarks.machine import machine, show_facts, write_json
from benchmarks.models import frames
from topreward_ros.commands.arguments import whole
from topreward_ros.demo.random_checkpoint import SHAPES, random_checkpoint
from topreward_ros.demo.random_robometer import write_random_robometer
from topreward_ros.scoring.families import REWARD_MODELS, load_scorer
from topreward_ros.scoring.loading.options import LoadOptions
from topreward_ros.scoring.score import Scorer

SIDE = 224  # of the frames [px]


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    lengths = sorted(set(options.lengths))
    clip, rows = frames(lengths[-1], options.side, options.side), []
    for name in track(options.models, 'measuring', console=Console(stderr=True)):
        with tempfile.TemporaryDirectory() as scratch:
            scorers = _scorers(name, Path(scratch), options)
        measured = StepMeasurements()
        for repeat in range(options.repeats + 1):
            if repeat == 1:
                measured = StepMeasurements()
            walk(scorers, clip, lengths, measured)
            scorers = dict(reversed(scorers.items()))  # neither is always the first
        rows += [
            {'model': name, **row_of(length, ('streaming', 'recompute'), measured)}
            for length in lengths
        ]
    settings = {
        **machine(),
        'model': f'random weights, shape {options.shape}, on {options.device}',
        'frames': f'{options.side}x{options.side}, in their own shape',
        'repeats': str(options.repeats),
    }
    _show(settings, rows)
    write_json(options.json, settings, rows)


def _scorers(name: str, scratch: Path, options: argparse.Namespace) -> dict[str, Scorer]:
    """Return the streaming scorer of a reward model, warmed up, and that of its reference."""
    folder = scratch / 'robometer'
    if name == 'robometer':
        write_random_robometer(folder, options.shape)
    else:
        folder = random_checkpoint(options.shape)
    about = LoadOptions(str(folder), options.device, reward_model=name, frame_fit='aspect')
    scorers = {
        'streaming': load_scorer(about),
        'recompute': load_scorer(dataclasses.replace(about, scorer='recompute')),
    }
    scorers['streaming'].warm_up(options.side, options.side, max(options.lengths))
    return scorers


def _show(settings: dict[str, str], rows: Sequence[dict[str, Any]]) -> None:
    console = Console(markup=False)
    show_facts(console, settings)
    table = Table('', 'frames', title='One live score, median')
    for heading in ('streaming [ms]', 'recompute [ms]', 'ratio', 'differ by'):
        table.add_column(heading, justify='right')
    for row in rows:
        table.add_row(
            row['model'],
            str(row['frames']),
            f'{row["streaming_ms"]:.1f}',
            f'{row["recompute_ms"]:.1f}',
            f'{row["recompute_ratio"]:.1f}',
            f'{row["max_difference_nat"]:.1e}',
        )
    console.print(table)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description='Cost of a live score of each reward model.')
    parser.add_argument(
        '--models', nargs='+', choices=REWARD_MODELS, default=[*REWARD_MODELS], metavar='MODEL'
    )
    parser.add_argument('--shape', choices=SHAPES, default='small')
    parser.add_argument('--side', type=whole, default=SIDE, help='of the frames [px]')
    parser.add_argument('--device', default='auto')
    parser.add_argument('--lengths', type=whole, nargs='+', default=[8, 16, 32, 64])
    parser.add_argument('--repeats', type=whole, default=2)
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the numbers here too')
    return parser


if __name__ == '__main__':
    main()
