# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Cost of a clip's curve: one pass compared with the sweep over its prefixes.

Anchored is 15 evenly spaced prefixes, as in the paper; dense is every prefix. The sweep scores each
prefix separately from scratch, as other implementations do. Both use the same model and frames, in
turn. The warm-up round over a short clip is not measured; the figures are medians.

    python -m benchmarks.curve
    python -m benchmarks.curve --lengths 16 32 64 128 256 --repeats 1
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from statistics import median
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.machine import count, show_facts, write_json
from benchmarks.models import FPS, TASK, add_model_arguments, facts, frames, load, synchronize
from topreward_ros.scoring.clip_curve import anchors, curve
from topreward_ros.scoring.reward_models.topreward.recompute import RecomputeScorer
from topreward_ros.scoring.reward_models.topreward.streaming import StreamingScorer
from topreward_ros.scoring.score import Scorer

KINDS = ('anchored', 'dense')


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    checkpoint = load(options)
    scorers: dict[str, Scorer] = {
        'one pass': StreamingScorer(checkpoint),
        'sweep': RecomputeScorer(checkpoint),
    }
    settings = {**facts(checkpoint, options), 'repeats': str(options.repeats)}
    _measure(scorers, frames(4, *options.size), [1, 4])
    jobs = [
        (length, kind, repeat)
        for length in sorted(set(options.lengths))
        for kind in KINDS
        for repeat in range(options.repeats)
    ]
    runs: dict[tuple[int, str], list[dict[str, float]]] = {}
    for length, kind, _ in track(jobs, 'measuring', console=Console(stderr=True)):
        lengths = anchors(length) if kind == 'anchored' else list(range(1, length + 1))
        measured = _measure(scorers, frames(length, *options.size), lengths)
        runs.setdefault((length, kind), []).append(measured)
        scorers = dict(reversed(scorers.items()))  # neither is always the first
    rows = [_row(length, kind, group) for (length, kind), group in runs.items()]
    _show(settings, rows)
    write_json(options.json, settings, rows)


def _measure(
    scorers: dict[str, Scorer], clip: list[np.ndarray], lengths: Sequence[int]
) -> dict[str, float]:
    """Return the seconds of each, and the largest difference of their scores [nat]."""
    times = [k / FPS for k in range(len(clip))]
    seconds, scores = {}, []
    for name, scorer in scorers.items():
        synchronize()
        began = time.perf_counter()
        rows = curve(scorer, clip, times, TASK, lengths)
        synchronize()
        seconds[name] = time.perf_counter() - began
        scores.append(np.array([row[0].value for row in rows]))
    return {**seconds, 'difference': float(np.abs(scores[0] - scores[1]).max())}


def _row(length: int, kind: str, runs: Sequence[dict[str, float]]) -> dict[str, Any]:
    return {
        'frames': length,
        'kind': kind,
        'one_pass_ms': 1000 * median(run['one pass'] for run in runs),
        'sweep_ms': 1000 * median(run['sweep'] for run in runs),
        'ratio': median(run['sweep'] / run['one pass'] for run in runs),
        'max_difference_nat': max(run['difference'] for run in runs),
    }


def _show(settings: dict[str, str], rows: Sequence[dict[str, Any]]) -> None:
    console = Console()
    show_facts(console, settings)
    table = Table('frames', '', title='A curve of a clip, median')
    for heading in ('one pass [ms]', 'sweep [ms]', 'ratio', 'difference [nat]'):
        table.add_column(heading, justify='right')
    for row in rows:
        times = (f'{row[key]:.0f}' for key in ('one_pass_ms', 'sweep_ms'))
        difference = f'{row["max_difference_nat"]:.1e}'
        table.add_row(str(row['frames']), row['kind'], *times, f'{row["ratio"]:.1f}', difference)
    console.print(table)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description='Cost of the curve of a clip.')
    add_model_arguments(parser)
    parser.add_argument('--lengths', type=count, nargs='+', default=[16, 32, 64])
    parser.add_argument('--repeats', type=count, default=3)
    return parser


if __name__ == '__main__':
    main()
