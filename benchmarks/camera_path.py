# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""CPU share of the reward node for a camera, without the model.

The camera publishes at 30 Hz and the node keeps two images per second, over the real middleware, in
separate processes. The node is the real one with a scorer that returns immediately. The others are
measured in turn on the same stream: an empty rclpy callback, the same with a malloc that keeps its
memory, the node with its gate held open, the node without a task, and the node without a camera.
The share is the user and system time of all threads of the process, including the middleware's,
divided by the wall time. The latency is from an image's stamp to its Progress, as published.

    python -m benchmarks.camera_path

Reads /proc, so it runs on Linux only.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.live_processes import (
    RATE,
    Listener,
    counts,
    draw_clip,
    listening,
    ros_facts,
    started,
    wait,
)
from benchmarks.machine import machine, show_facts, size, write_json
from topreward_ros.commands.arguments import whole

TASK = 'Move the orange square into the blue ring.'
KEPT_RATE = 2.0  # of the node [1/s]

# By default glibc may release the memory of each large image and allocate it again for the next
KEEP_MEMORY = (
    ('MALLOC_MMAP_THRESHOLD_', str(64 * 2**20)),
    ('MALLOC_TRIM_THRESHOLD_', str(256 * 2**20)),
)


@dataclass(frozen=True)
class Contender:
    """A process to measure: its name in camera_process, its task and its environment variables."""

    title: str
    process: str
    task: str = ''
    environ: tuple[tuple[str, str], ...] = ()


NODE = Contender('the node', 'node', TASK)
IDLE = Contender('the node without a task', 'node')
CONTENDERS = (
    Contender('an empty callback', 'empty'),
    Contender('an empty callback, memory kept', 'empty', environ=KEEP_MEMORY),
    NODE,
    Contender('the node, its gate held open', 'open_gate', TASK),
    IDLE,
)


def main() -> None:
    options = _parser().parse_args()
    facts = _facts(options)
    with listening() as listener, tempfile.TemporaryDirectory() as folder:
        rows = _measure_all(listener, Path(folder), options)
    summaries = list(_summaries(rows))
    _show(facts, summaries)
    write_json(options.json, facts, summaries)


def _measure_all(
    listener: Listener, folder: Path, options: argparse.Namespace
) -> list[dict[str, Any]]:
    """Return a row per contender, size and round."""
    rows = []
    for number in range(options.rounds):
        row = _measure(IDLE, listener, folder / 'idle.log', options)
        rows.append({'size': 'no camera', **row})
        for width, height in options.sizes:
            clip = draw_clip(folder / f'{width}x{height}', width, height)
            # Alternate the order, so that no contender is always first or last
            order = CONTENDERS if number % 2 == 0 else CONTENDERS[::-1]
            log = folder / f'{width}x{height}-{number}.log'
            with started('camera', log, source=clip, fps=RATE, loop=True) as camera:
                wait(listener, camera, log, partial(counts, log))
                for contender in order:
                    row = _measure(contender, listener, folder / 'contender.log', options, log)
                    rows.append({'size': f'{width}x{height}', **row})
    return rows


def _measure(
    contender: Contender,
    listener: Listener,
    log: Path,
    options: argparse.Namespace,
    camera_log: Path | None = None,
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if contender.process != 'empty':  # without thinning, which would lower the rate of kept images
        values = {'task': contender.task, 'fps': KEPT_RATE, 'max_frames': 1024, 'autostart': True}
    listener.forget()
    with started(contender.process, log, contender.environ, **values) as process:
        if not values:
            wait(listener, process, log, lambda: 'ready' in log.read_text())
        elif contender.task:
            wait(listener, process, log, lambda: listener.latencies)
        else:
            wait(listener, process, log, lambda: listener.fact('state') == 'active')
        listener.listen(options.warm_up)
        listener.forget()
        began, used = time.monotonic(), _cpu_seconds(process)
        listener.listen(options.seconds)
        used, ended = _cpu_seconds(process) - used, time.monotonic()
    row: dict[str, Any] = {'contender': contender.title, 'share': 100 * used / (ended - began)}
    row['taken'] = listener.rate('images taken') if contender.task else None
    row['kept'] = listener.rate('images kept') if contender.task else None
    row['latency'] = median(listener.latencies) if listener.latencies else None
    row['latency_most'] = max(listener.latencies, default=None)
    row['camera'] = _published_rate(camera_log, began, ended) if camera_log else None
    return row


def _cpu_seconds(process: subprocess.Popen[bytes]) -> float:
    """Return the user and system time of all threads so far, mostly in steps of 10 ms."""
    stat = Path(f'/proc/{process.pid}/stat').read_text(encoding='utf-8')
    user, system = stat.rpartition(')')[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf('SC_CLK_TCK')


def _published_rate(log: Path, began: float, ended: float) -> float | None:
    within = [(at, count) for at, count in counts(log) if began <= at <= ended]
    if len(within) < 2:
        return None
    (first, first_count), (last, last_count) = within[0], within[-1]
    return (last_count - first_count) / (last - first)


def _summaries(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the medians over the rounds, in the order of the contenders."""
    sizes = dict.fromkeys(row['size'] for row in rows)
    for name in sizes:
        for contender in CONTENDERS:
            group = [r for r in rows if (r['size'], r['contender']) == (name, contender.title)]
            if not group:
                continue
            shares = [row['share'] for row in group]
            summary: dict[str, Any] = {
                'size': name,
                'contender': contender.title,
                'share_percent': median(shares),
                'share_percent_range': [min(shares), max(shares)],
            }
            for key, unit in (('camera', 'hz'), ('taken', 'hz'), ('kept', 'hz'), ('latency', 's')):
                values = [row[key] for row in group if row[key] is not None]
                summary[f'{key}_{unit}'] = median(values) if values else None
            most = [row['latency_most'] for row in group if row['latency_most'] is not None]
            summary['latency_most_s'] = max(most, default=None)
            yield summary


def _facts(options: argparse.Namespace) -> dict[str, str]:
    return {
        **machine(),
        **ros_facts(),
        'measured': f'{options.rounds} rounds of {options.seconds:g} s, '
        f'{KEPT_RATE:g} images/s kept',
    }


def _show(facts: Mapping[str, str], summaries: list[dict[str, Any]]) -> None:
    console = Console(
        markup=False, width=None if sys.stdout.isatty() else 120
    )  # wide enough for the table in a file
    show_facts(console, facts)
    table = Table('images', '', title='Share of one core, median (least-most)')
    headings = ('share [%]', 'camera [Hz]', 'taken [Hz]', 'kept [Hz]', 'latency [ms]', 'most [ms]')
    for heading in headings:
        table.add_column(heading, justify='right')
    for row in summaries:
        low, high = row['share_percent_range']
        seconds = (row['latency_s'], row['latency_most_s'])
        latencies = [None if number is None else 1000 * number for number in seconds]
        numbers = (row['camera_hz'], row['taken_hz'], row['kept_hz'], *latencies)
        table.add_row(
            row['size'],
            row['contender'],
            f'{row["share_percent"]:.1f} ({low:.1f}-{high:.1f})',
            *('' if number is None else f'{number:.1f}' for number in numbers),
        )
    console.print(table)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description='CPU share of the reward node for a camera.')
    parser.add_argument('--sizes', type=size, nargs='+', default=[(640, 480), (1280, 720)])
    parser.add_argument('--seconds', type=float, default=20.0, help='length of a measurement [s]')
    parser.add_argument(
        '--warm-up', type=float, default=3.0, help='time before each measurement [s]'
    )
    parser.add_argument('--rounds', type=whole, default=3)
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the numbers here too')
    return parser


if __name__ == '__main__':
    main()
