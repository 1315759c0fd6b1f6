# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Cost of a clip's curve: one pass compared with the sweep over its prefixes.

Anchored is 15 evenly spaced prefixes, as in the paper; dense is every prefix. The sweep scores each
prefix separately from scratch. All use the same model and frames, in turn. The warm-up round over a
short clip is not measured; the figures are medians.

The published implementations' own curves are measured too where their packages are installed: the
authors', with their prefix cache, and LeRobot's, from scratch. They round where prefixes end in
ways of their own, so they are measured at lengths where that is the same: of a multiple of 14 and
one frame more, or where the prefixes are all.

    python -m benchmarks.curve
    python -m benchmarks.curve --frame-fit paper --lengths 15 43 71   # as the authors resize
    python -m benchmarks.curve --lengths 16 32 64 128 256 --repeats 1
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial
from statistics import median
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.machine import show_facts, write_json
from benchmarks.models import FPS, TASK, add_model_arguments, facts, frames, load, synchronize
from benchmarks.published_curves import PublishedCurve, published_curves
from topreward_ros.commands.arguments import whole
from topreward_ros.scoring.clip_curve import anchors, curve
from topreward_ros.scoring.reward_models.topreward.recompute import RecomputeScorer
from topreward_ros.scoring.reward_models.topreward.streaming import StreamingScorer
from topreward_ros.scoring.score import Scorer

KINDS = ('anchored', 'dense')
# Scores [nat] of the prefixes of a clip that have these lengths
Contender = Callable[[list[np.ndarray], Sequence[int]], Sequence[float]]
# Seconds, and the largest difference from one pass [nat], by contender
Run = dict[str, tuple[float, float]]


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    checkpoint = load(options)
    streaming = StreamingScorer(checkpoint)
    own: dict[str, Contender] = {
        'one pass': partial(_own, streaming),
        'sweep': partial(_own, RecomputeScorer(checkpoint)),
    }
    geometry = streaming.engine.geometry
    published, missing = published_curves(checkpoint, geometry, options.size)
    _measure(own, frames(4, *options.size), [1, 4])
    runs: dict[tuple[int, str], list[Run]] = {}
    for length, kind, repeat in track(_jobs(options), 'measuring', console=Console(stderr=True)):
        clip = frames(length, *options.size)
        lengths = anchors(length) if kind == 'anchored' else list(range(1, length + 1))
        others: dict[str, Contender] = {
            name: partial(_published, each)
            for name, each in published.items()
            if each.scores_the_same(clip, lengths, geometry)
        }
        contenders = list({**own, **others}.items())
        order = contenders[:: -1 if repeat % 2 else 1]  # none is always the first
        runs.setdefault((length, kind), []).append(_measure(dict(order), clip, lengths))
    rows = [_row(length, kind, group) for (length, kind), group in runs.items()]
    settings = {
        **facts(checkpoint, options),
        'repeats': str(options.repeats),
        **{name: _where_measured(name, rows) for name in published},
        **missing,
    }
    _show(settings, list(published), rows)
    write_json(options.json, settings, rows)


def _jobs(options: argparse.Namespace) -> list[tuple[int, str, int]]:
    """Return length, kind and number of the repeat of all that is measured."""
    return [
        (length, kind, repeat)
        for length in sorted(set(options.lengths))
        for kind in KINDS
        for repeat in range(options.repeats)
    ]


def _own(scorer: Scorer, clip: list[np.ndarray], lengths: Sequence[int]) -> list[float]:
    times = [k / FPS for k in range(len(clip))]
    return [row[0].value for row in curve(scorer, clip, times, TASK, lengths)]


def _published(
    published: PublishedCurve, clip: list[np.ndarray], lengths: Sequence[int]
) -> list[float]:
    return published.scores(clip, len(lengths))


def _measure(
    contenders: dict[str, Contender], clip: list[np.ndarray], lengths: Sequence[int]
) -> Run:
    seconds, scores = {}, {}
    for name, contender in contenders.items():
        synchronize()
        began = time.perf_counter()
        scores[name] = np.array(contender(clip, lengths))
        synchronize()
        seconds[name] = time.perf_counter() - began
    return {
        name: (seconds[name], float(np.abs(scores[name] - scores['one pass']).max()))
        for name in contenders
    }


def _row(length: int, kind: str, runs: Sequence[Run]) -> dict[str, Any]:
    row: dict[str, Any] = {'frames': length, 'kind': kind}
    for name in sorted(runs[0]):
        key = name.replace(' ', '_')
        row[f'{key}_ms'] = 1000 * median(run[name][0] for run in runs)
        row[f'{key}_ratio'] = median(run[name][0] / run['one pass'][0] for run in runs)
        row[f'{key}_max_difference_nat'] = max(run[name][1] for run in runs)
    return row


def _where_measured(name: str, rows: Sequence[dict[str, Any]]) -> str:
    """Say which rows lack this published curve, and why."""
    without = [f'{row["frames"]} {row["kind"]}' for row in rows if f'{name}_ms' not in row]
    if not without:
        return 'measured'
    return f'its prefixes or its size of frames are others, so not measured: {", ".join(without)}'


def _show(
    settings: dict[str, str], published: Sequence[str], rows: Sequence[dict[str, Any]]
) -> None:
    console = Console(markup=False)
    show_facts(console, settings)
    table = Table(
        'frames', '', title='A curve of a clip, median; ratio and difference are to one pass'
    )
    names = ('sweep', *published)
    for heading in (
        'one pass [ms]',
        *(h for n in names for h in (f'{n} [ms]', 'ratio', 'differs [nat]')),
    ):
        table.add_column(heading, justify='right')
    for row in rows:
        cells = [str(row['frames']), row['kind'], f'{row["one_pass_ms"]:.0f}']
        for name in names:
            cells += [
                f'{row[key]:{form}}' if (key := f'{name}_{figure}') in row else ''
                for figure, form in (('ms', '.0f'), ('ratio', '.2f'), ('max_difference_nat', '.1e'))
            ]
        table.add_row(*cells)
    console.print(table)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description='Cost of the curve of a clip.')
    add_model_arguments(parser)
    parser.add_argument('--lengths', type=whole, nargs='+', default=[16, 32, 64])
    parser.add_argument('--repeats', type=whole, default=3)
    return parser


if __name__ == '__main__':
    main()
