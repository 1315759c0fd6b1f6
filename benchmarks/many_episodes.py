# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Memory in use by the number of episodes, which must not grow.

Episodes have different lengths, the longest first, with one model. The figure is all memory in use
on the GPU, or that of the process without a GPU.

    python -m benchmarks.many_episodes
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
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
)
from topreward_ros.commands.arguments import whole
from topreward_ros.scoring.loading.memory import memory_in_use
from topreward_ros.scoring.reward_models.topreward.streaming import StreamingScorer


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    checkpoint = load(options)
    scorer = streaming_scorer(options, options.frames)
    clip = frames(options.frames, *options.size)
    _, where = memory_in_use()
    settings = {**facts(checkpoint, options), 'steps': scorer.mode, 'memory': where}
    random = np.random.default_rng(0)
    rows: list[dict[str, Any]] = []
    for number in track(range(1, options.episodes + 1), 'episodes', console=Console(stderr=True)):
        length = options.frames if number == 1 else int(random.integers(1, options.frames + 1))
        _play(scorer, clip[:length])
        if number in (1, 10, 100, options.episodes) or number % 1000 == 0:
            rows.append({'episodes': number, 'mib': _in_use() / 2**20})
    _show(settings, rows)
    write_json(options.json, settings, rows)


def _in_use() -> int:
    """Return the bytes in use; on a GPU including those of graphs and the driver."""
    if torch.cuda.is_initialized():
        free, total = torch.cuda.mem_get_info()
        return total - free
    return memory_in_use()[0]


def _play(scorer: StreamingScorer, clip: Sequence[np.ndarray]) -> None:
    episode = scorer.start(TASK)
    for k, frame in enumerate(clip):
        episode.append(frame, k / FPS)
        episode.score()
    episode.close()


def _show(settings: dict[str, str], rows: Sequence[dict[str, Any]]) -> None:
    console = Console(markup=False)
    show_facts(console, settings)
    table = Table('episodes', title='Memory in use')
    table.add_column('[MiB]', justify='right')
    for row in rows:
        table.add_row(str(row['episodes']), f'{row["mib"]:.1f}')
    console.print(table)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description='Memory in use after many episodes.')
    add_model_arguments(parser)
    parser.set_defaults(shape='tiny')
    parser.add_argument('--episodes', type=whole, default=1000)
    parser.add_argument('--frames', type=whole, default=12, help='most frames of an episode')
    return parser


if __name__ == '__main__':
    main()
