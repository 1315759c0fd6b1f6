# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Cost of one live score by the length of the episode: streaming compared with other methods.

A live score is the cost of a new frame: `append` and `score` in an episode whose earlier frames are
all scored. A frame without a partner is doubled and run again with the next one, so the cost
differs between odd and even lengths: the figure at n frames is the mean of the scores at n-1 and n.
The contenders process the same frames with the same model, in turn; those that cache nothing
between scores only score where it is measured. The first walk is a warm-up; the figures are medians
of the others. Where torchvision is installed, the published recipe is one of the contenders: the
whole clip through the Hugging Face processor and model.

    python -m benchmarks.live_step
    python -m benchmarks.live_step --model Qwen/Qwen3-VL-8B-Instruct --size 640x480
    python -m benchmarks.live_step --shape qwen3-vl-8b --size 640x480      # random weights, a GPU
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from statistics import fmean, median
from typing import Any

import numpy as np
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
from benchmarks.published_recipe import published_recipes
from topreward_ros.commands.arguments import whole
from topreward_ros.scoring.reward_models.topreward.recompute import RecomputeScorer
from topreward_ros.scoring.reward_models.topreward.streaming import StreamingScorer
from topreward_ros.scoring.score import Episode, Score, Scorer

Figures = dict[tuple[str, int], list[float]]  # by scorer and length, one per walk


class StepMeasurements:
    """Times [s], memory [bytes] and scores of the measured steps.

    The memory is the temporary memory of a step on a GPU; the cache of streaming is reported
    separately.
    """

    def __init__(self) -> None:
        self.seconds: Figures = defaultdict(list)
        self.memory: Figures = defaultdict(list)
        self.scores: Figures = defaultdict(list)

    def step(self, name: str, episode: Episode, frame: np.ndarray) -> Score:
        n, at_rest = episode.frames + 1, _start_memory()
        synchronize()
        began = time.perf_counter()
        episode.append(frame, (n - 1) / FPS)
        score = episode.score()
        synchronize()
        self.seconds[name, n].append(time.perf_counter() - began)
        if torch.cuda.is_initialized():
            self.memory[name, n].append(torch.cuda.max_memory_allocated() - at_rest)
        self.scores[name, n].append(score.value)
        return score

    def difference(self, length: int) -> float:
        """Return the largest difference between streaming and recompute at this length [nat]."""
        pairs = [(self.scores['streaming', n], self.scores['recompute', n]) for n in _two(length)]
        return max(abs(a - b) for one, other in pairs for a, b in zip(one, other, strict=True))


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    lengths = sorted(set(options.lengths))
    checkpoint = load(options)
    streaming = streaming_scorer(options, lengths[-1])
    cache = streaming.engine.language.cache_shape().bytes_per_token
    others, missing = published_recipes(checkpoint)
    scorers: dict[str, Scorer] = {
        'streaming': streaming,
        'recompute': RecomputeScorer(checkpoint),
        **others,
    }
    settings = {
        **facts(checkpoint, options),
        'repeats': str(options.repeats),
        'streaming': streaming.mode,
        'cache': f'{cache / 1024:.1f} KiB a token',
        'published recipes': missing or 'measured',
    }
    clip = frames(lengths[-1], *options.size)
    measured = StepMeasurements()
    for number in track(range(options.repeats + 1), 'measuring', console=Console(stderr=True)):
        if number == 1:
            measured = StepMeasurements()
        walk(scorers, clip, lengths, measured)
        scorers = dict(reversed(scorers.items()))  # neither is always the first
    names = sorted(scorers, key=lambda name: name != 'streaming')
    rows = [row_of(length, names, measured) for length in lengths]
    fits = {name: _fit(name, lengths, rows) for name in names}
    others_ms = {
        'the first score': _first(streaming, clip),
        'two tasks': _several_tasks(streaming, clip),
        'after thinning': _thinned(streaming, clip, prepared=False),
        'after thinning that was prepared': _thinned(streaming, clip, prepared=True),
    }
    _show(settings, names, rows, fits, others_ms)
    write_json(options.json, settings, rows, fits=fits, others_ms=others_ms)


def _two(length: int) -> tuple[int, int]:
    return length - 1, length


def _start_memory() -> int:
    if not torch.cuda.is_initialized():
        return 0
    torch.cuda.reset_peak_memory_stats()
    return int(torch.cuda.memory_allocated())


def walk(
    scorers: dict[str, Scorer],
    clip: list[np.ndarray],
    lengths: Sequence[int],
    measured: StepMeasurements,
) -> None:
    measured_lengths = {n for length in lengths for n in _two(length)}
    episodes = {name: scorer.start(TASK) for name, scorer in scorers.items()}
    for n, frame in enumerate(clip, start=1):
        for name, episode in episodes.items():
            if n in measured_lengths:
                measured.step(name, episode, frame)
            else:
                episode.append(frame, (n - 1) / FPS)
                if name == 'streaming':
                    episode.score()
    for episode in episodes.values():
        episode.close()


def _milliseconds(call: Callable[[], object]) -> float:
    synchronize()
    began = time.perf_counter()
    call()
    synchronize()
    return 1000 * (time.perf_counter() - began)


def _episode(scorer: StreamingScorer, clip: list[np.ndarray], tasks: str | list[str]) -> Episode:
    """Return an episode with all frames but the last one scored, and that appended."""
    episode = scorer.start(tasks)
    for k, frame in enumerate(clip):
        episode.append(frame, k / FPS)
        if k == len(clip) - 2:
            episode.scores()
    return episode


def _first(scorer: StreamingScorer, clip: list[np.ndarray]) -> float:
    """Return the time [ms] of the first score of an episode."""
    episode = scorer.start(TASK)
    episode.append(clip[0], 0.0)
    taken = _milliseconds(episode.score)
    episode.close()
    return taken


def _several_tasks(scorer: StreamingScorer, clip: list[np.ndarray]) -> float:
    """Return the time [ms] of a score for two tasks, of the longest episode."""
    episode = _episode(scorer, clip, [TASK, 'Open the drawer.'])
    taken = _milliseconds(episode.scores)
    episode.close()
    return taken


def _thinned(scorer: StreamingScorer, clip: list[np.ndarray], *, prepared: bool) -> float:
    """Return the time [ms] of a thinning of the longest episode and of the next score."""
    episode = _episode(scorer, clip, TASK)
    episode.score()
    while prepared and episode.prepare_thinning():
        pass
    taken = _milliseconds(episode.thin)
    episode.append(clip[0], len(clip) / FPS)
    taken += _milliseconds(episode.score)
    episode.close()
    return taken


def row_of(length: int, names: Sequence[str], measured: StepMeasurements) -> dict[str, Any]:
    row: dict[str, Any] = {'frames': length}
    walks = {}
    for name in names:
        odd, even = (measured.seconds[name, n] for n in _two(length))
        walks[name] = [1000 * fmean(pair) for pair in zip(odd, even, strict=True)]
        row[f'{name}_ms'] = median(walks[name])
        row[f'{name}_ms_range'] = [min(walks[name]), max(walks[name])]
        row[f'{name}_ms_at_n_minus_1'] = 1000 * median(odd)
        row[f'{name}_ms_at_n'] = 1000 * median(even)
        memory = [byte for n in _two(length) for byte in measured.memory[name, n]]
        row[f'{name}_peak_mib'] = max(memory) / 2**20 if memory else None
        # Within the same walk, where other processes disturb both alike
        pairs = zip(walks[name], walks['streaming'], strict=True)
        row[f'{name}_ratio'] = median(other / streaming for other, streaming in pairs)
    row['max_difference_nat'] = measured.difference(length)
    return row


def _fit(name: str, lengths: Sequence[int], rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Fit a line to the costs by least squares: cost at zero frames, and per frame [ms]."""
    if len(lengths) < 2:
        return {}
    slope, start = np.polyfit(lengths, [row[f'{name}_ms'] for row in rows], 1)
    return {'start_ms': float(start), 'ms_per_frame': float(slope)}


def _show(
    settings: dict[str, str],
    names: Sequence[str],
    rows: Sequence[dict[str, Any]],
    fits: dict[str, dict[str, float]],
    others_ms: dict[str, float],
) -> None:
    console = Console(markup=False)
    show_facts(console, settings)
    table = Table('frames', title='One live score, median (least-most)')
    with_memory = rows[0]['streaming_peak_mib'] is not None
    for name in names:
        table.add_column(f'{name} [ms]', justify='right')
        if name != 'streaming':
            table.add_column('ratio', justify='right')
        if with_memory:
            table.add_column('temporary [MiB]', justify='right')
    table.add_column('streaming - recompute [nat]', justify='right')
    for row in rows:
        cells = [str(row['frames'])]
        for name in names:
            low, high = row[f'{name}_ms_range']
            cells.append(f'{row[f"{name}_ms"]:.1f} ({low:.1f}-{high:.1f})')
            cells += [] if name == 'streaming' else [f'{row[f"{name}_ratio"]:.1f}']
            cells += [f'{row[f"{name}_peak_mib"]:.0f}'] if with_memory else []
        table.add_row(*cells, f'{row["max_difference_nat"]:.1e}')
    console.print(table)
    for name, fit in fits.items():
        if fit:
            text = f'{name}: {fit["start_ms"]:.1f} ms and {fit["ms_per_frame"]:.3f} ms per frame'
            console.print(text, highlight=False)
    for name, milliseconds in others_ms.items():
        console.print(f'{name}: {milliseconds:.1f} ms', highlight=False)


def _length(text: str) -> int:
    value = int(text)
    if value < 2:
        raise argparse.ArgumentTypeError(f'{text} is below 2')
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description='Cost of one live score.')
    add_model_arguments(parser)
    parser.add_argument('--lengths', type=_length, nargs='+', default=[8, 16, 32, 64])
    parser.add_argument('--repeats', type=whole, default=5)
    return parser


if __name__ == '__main__':
    main()
