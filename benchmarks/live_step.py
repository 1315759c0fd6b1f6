# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Cost of one live score by the length of the episode: streaming against recompute.

A live score is what a new frame costs: an episode whose frames so far are all scored, then
`append` and `score` of the next. A frame without a partner is doubled and run again with the next
one, so the cost differs between odd and even lengths: the figure at n frames is the mean of the
scores at n-1 and at n. Both scorers walk through the same frames with one model, in turn; the
recompute scores only where it is measured, for it keeps nothing from one score to the next. The
first walk is not measured; of the others the medians are shown.

    python -m benchmarks.live_step
    python -m benchmarks.live_step --model Qwen/Qwen3-VL-8B-Instruct --size 640x480
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

from topreward_ros.demo.pattern import pattern_frame
from topreward_ros.demo.random_checkpoint import SHAPES, random_checkpoint
from topreward_ros.scoring.checkpoint import Checkpoint, LoadOptions, load_checkpoint
from topreward_ros.scoring.recompute import RecomputeScorer
from topreward_ros.scoring.score import Episode, Score, Scorer
from topreward_ros.scoring.streaming import StreamingScorer

from .machine import machine, size, write_json

TASK = 'Move the orange square into the blue ring.'
FPS = 2.0
Seconds = dict[tuple[str, int], list[float]]  # by scorer and length, one per walk


def main() -> None:
    options = _parser().parse_args()
    lengths = sorted(set(options.lengths))
    checkpoint = load_checkpoint(
        options.model or str(random_checkpoint(options.shape)),
        LoadOptions(device=options.device, dtype=options.dtype),
    )
    scorers: dict[str, Scorer] = {
        'streaming': StreamingScorer(checkpoint),
        'recompute': RecomputeScorer(checkpoint),
    }
    frames = _frames(lengths[-1], *options.size)
    facts = _facts(checkpoint, options)
    measured = {n for length in lengths for n in (length - 1, length)}
    seconds: Seconds = defaultdict(list)
    differences: dict[int, float] = defaultdict(float)
    for walk in track(range(options.repeats + 1), 'measuring', console=Console(stderr=True)):
        _walk(scorers, frames, measured, seconds, differences)
        if not walk:
            seconds.clear()
        scorers = dict(reversed(scorers.items()))  # neither is always the first
    rows = [_row(length, seconds, differences) for length in lengths]
    _show(facts, rows)
    write_json(options.json, facts, rows)


def _frames(count: int, width: int, height: int) -> list[np.ndarray]:
    return [pattern_frame(k / max(1, count - 1), height, width) for k in range(count)]


def _walk(
    scorers: dict[str, Scorer],
    frames: list[np.ndarray],
    measured: set[int],
    seconds: Seconds,
    differences: dict[int, float],
) -> None:
    episodes = {name: scorer.start(TASK) for name, scorer in scorers.items()}
    for n, frame in enumerate(frames, start=1):
        log_probs = []
        for name, episode in episodes.items():
            if n in measured:
                taken, score = _timed_step(episode, frame, (n - 1) / FPS)
                seconds[name, n].append(taken)
                log_probs.append(score.log_prob)
            else:
                episode.append(frame, (n - 1) / FPS)
                if name == 'streaming':
                    episode.score()
        if log_probs:
            difference = abs(log_probs[0] - log_probs[1])
            differences[n] = max(differences[n], difference)
    for episode in episodes.values():
        episode.close()


def _timed_step(episode: Episode, frame: np.ndarray, stamp: float) -> tuple[float, Score]:
    _synchronize()
    began = time.perf_counter()
    episode.append(frame, stamp)
    score = episode.score()
    _synchronize()
    return time.perf_counter() - began, score


def _synchronize() -> None:
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()


def _row(length: int, seconds: Seconds, differences: dict[int, float]) -> dict[str, Any]:
    row: dict[str, Any] = {'frames': length}
    walks = {}
    for name in ('streaming', 'recompute'):
        odd, even = seconds[name, length - 1], seconds[name, length]
        walks[name] = [1000 * fmean(pair) for pair in zip(odd, even, strict=True)]
        row[f'{name}_ms'] = median(walks[name])
        row[f'{name}_ms_range'] = [min(walks[name]), max(walks[name])]
        row[f'{name}_ms_at_n_minus_1'] = 1000 * median(odd)
        row[f'{name}_ms_at_n'] = 1000 * median(even)
    # Of the two in the same walk, which other processes disturb more or less alike.
    row['ratio'] = median(
        recompute / streaming
        for streaming, recompute in zip(walks['streaming'], walks['recompute'], strict=True)
    )
    row['max_difference_nat'] = max(differences[length - 1], differences[length])
    return row


def _facts(checkpoint: Checkpoint, options: argparse.Namespace) -> dict[str, str]:
    weights = next(checkpoint.model.parameters())
    millions = sum(p.numel() for p in checkpoint.model.parameters()) / 1e6
    device = str(weights.device)
    if weights.is_cuda:
        device += f' ({torch.cuda.get_device_name(weights.device)})'
    name = options.model or f'random weights, shape {options.shape}'
    return {
        **machine(),
        'torch': f'{torch.__version__}, {torch.get_num_threads()} threads',
        'device': device,
        'dtype': str(weights.dtype).removeprefix('torch.'),
        'model': f'{name}, {millions:.1f} million parameters',
        'frames': '{}x{}'.format(*options.size),
        'repeats': str(options.repeats),
    }


def _show(facts: dict[str, str], rows: list[dict[str, Any]]) -> None:
    console = Console()
    for key, fact in facts.items():
        console.print(f'{key}: {fact}', highlight=False)
    table = Table('frames', title='One live score, median (least-most)')
    for heading in ('streaming [ms]', 'recompute [ms]', 'ratio', 'difference [nat]'):
        table.add_column(heading, justify='right')
    for row in rows:
        times = (
            f'{row[f"{name}_ms"]:.1f} ({row[f"{name}_ms_range"][0]:.1f}-'
            f'{row[f"{name}_ms_range"][1]:.1f})'
            for name in ('streaming', 'recompute')
        )
        difference = f'{row["max_difference_nat"]:.1e}'
        table.add_row(str(row['frames']), *times, f'{row["ratio"]:.1f}', difference)
    console.print(table)


def _length(text: str) -> int:
    value = int(text)
    if value < 2:
        raise argparse.ArgumentTypeError(f'{text} is below 2')
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f'{text} is below 1')
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description='Cost of one live score.')
    parser.add_argument('--model', help='folder or hub id of a Qwen3-VL; default: random weights')
    parser.add_argument('--shape', choices=SHAPES, default='small', help='of the random weights')
    parser.add_argument('--size', type=size, default=(224, 224), help='of the frames: 224x224')
    parser.add_argument('--lengths', type=_length, nargs='+', default=[8, 16, 32, 64])
    parser.add_argument('--repeats', type=_count, default=5)
    parser.add_argument('--device', default='auto')
    parser.add_argument('--dtype', default='auto')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the numbers here too')
    return parser


if __name__ == '__main__':
    main()
