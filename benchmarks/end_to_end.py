# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Latency from an image's stamp to its Progress with a real model, at several rates.

A camera of 30 Hz and the reward node run in separate processes; this one subscribes to the node.
The latency is the one that the node publishes. The model is the demo's unless another is given; if
it is slower than the rate, frames wait and the latency grows.

    python -m benchmarks.end_to_end
    python -m benchmarks.end_to_end --model Qwen/Qwen3-VL-8B-Instruct --rates 1 2 5
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
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
from topreward_ros.demo.model import FOLDER

TASK = 'Put the red block on the plate.'
PERCENTILES = {'p50': 50, 'p90': 90, 'p99': 99, 'most': 100}


def main() -> None:
    options = _parser().parse_args()
    settings = {
        **machine(),
        **ros_facts(),
        'model': options.model,
        'camera': '{}x{}'.format(*options.size) + f', {RATE:g} Hz',
        'measured': f'{options.seconds:g} s at each rate',
    }
    rows = []
    with listening() as listener, tempfile.TemporaryDirectory() as folder:
        clip, log = draw_clip(Path(folder, 'clip'), *options.size), Path(folder, 'camera.log')
        with started('camera', log, source=clip, fps=RATE, loop=True) as camera:
            wait(listener, camera, log, partial(counts, log))
            for rate in track(options.rates, 'measuring', console=Console(stderr=True)):
                rows.append(_measure(listener, Path(folder, 'node.log'), rate, options))
    _show(settings, rows)
    write_json(options.json, settings, rows)


def _measure(
    listener: Listener, log: Path, rate: float, options: argparse.Namespace
) -> dict[str, Any]:
    values = {'task': TASK, 'fps': rate, 'autostart': True, 'model': options.model}
    values['warm_up_size'] = '{}x{}'.format(*options.size)
    values['max_frames'] = 1024  # without thinning, which would lower the rate
    listener.forget()
    with started('real_node', log, **values) as process:
        wait(listener, process, log, lambda: listener.latencies, options.ready)
        listener.listen(options.warm_up)
        listener.forget()
        listener.listen(options.seconds)
    latencies = 1000 * np.array(listener.latencies)
    if not len(latencies):
        raise RuntimeError(f'no Progress was published in {options.seconds} s:\n{log.read_text()}')
    return {
        'rate_hz': rate,
        'scores_hz': len(latencies) / options.seconds,
        **{f'{name}_ms': float(np.percentile(latencies, q)) for name, q in PERCENTILES.items()},
    }


def _show(settings: dict[str, str], rows: Sequence[dict[str, Any]]) -> None:
    console = Console(markup=False)
    show_facts(console, settings)
    table = Table('kept [1/s]', 'scores [1/s]', title='Image stamp to Progress [ms]')
    for name in PERCENTILES:
        table.add_column(name, justify='right')
    for row in rows:
        cells = [f'{row["rate_hz"]:g}', f'{row["scores_hz"]:.2f}']
        table.add_row(*cells, *(f'{row[f"{name}_ms"]:.1f}' for name in PERCENTILES))
    console.print(table)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description='Latency from image stamp to Progress.')
    parser.add_argument('--model', default=str(FOLDER), help='folder or hub id of the model')
    parser.add_argument('--rates', type=float, nargs='+', default=[1.0, 2.0, 5.0, 10.0])
    parser.add_argument('--size', type=size, default=(640, 480), help='of the camera images')
    parser.add_argument('--seconds', type=float, default=20.0, help='time at each rate [s]')
    parser.add_argument(
        '--warm-up', type=float, default=3.0, help='time before each measurement [s]'
    )
    parser.add_argument(
        '--ready', type=float, default=600.0, help='time limit of loading the model [s]'
    )
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the numbers here too')
    return parser


if __name__ == '__main__':
    main()
