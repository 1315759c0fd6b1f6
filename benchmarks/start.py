# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""CPU seconds of starting: until the reward node answers `get_state`, and of `topreward --help`.

    python -m benchmarks.start
    python -m benchmarks.start --against OTHER/bin/python   # compare with another installation

Each measurement is a new process; its CPU seconds include all threads.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import rclpy
from lifecycle_msgs.srv import GetState
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.machine import machine, show_facts, write_json
from topreward_ros.commands.arguments import whole

TIME_LIMIT = 60.0  # [s]
# The first module that an installation has; the second ones are those of 0.1.0
NODES = ('topreward_ros.nodes.reward.node', 'topreward_ros.nodes.reward_node')
COMMANDS = ('topreward_ros.commands.main', 'topreward_ros.cli')
FIND = 'import sys; from importlib.util import find_spec\n' + (
    'def exists(name):\n'
    '    try: return find_spec(name) is not None\n'
    '    except ModuleNotFoundError: return False\n'
    'print(next(name for name in sys.argv[1:] if exists(name)))'
)


def main() -> None:
    options = _parser().parse_args()
    os.environ['ROS_DOMAIN_ID'] = str(1 + os.getpid() % 100)
    os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    pythons = {'this': Path(sys.executable)}
    if options.against:
        pythons['other'] = options.against
    measures = {'get_state answered': _node_seconds, 'topreward --help': _help_seconds}
    jobs = [
        (measure, name) for _ in range(options.repeats) for measure in measures for name in pythons
    ]
    seconds: dict[tuple[str, str], list[float]] = {}
    rclpy.init()
    for measure, name in track(jobs, 'measuring', console=Console(stderr=True)):
        seconds.setdefault((measure, name), []).append(measures[measure](pythons[name]))
    rclpy.shutdown()
    rows = [_row(measure, list(pythons), seconds) for measure in measures]
    facts = {**machine(), 'repeats': str(options.repeats)}
    _show(facts, rows)
    write_json(options.json, facts, rows)


def _node_seconds(python: Path) -> float:
    """Return the CPU seconds of a node's process when it has answered."""
    client_node = rclpy.create_node('start_benchmark')
    client: Any = client_node.create_client(GetState, '/topreward/get_state')
    process = _start(python, _module(python, NODES))
    try:
        deadline = time.monotonic() + TIME_LIMIT
        while not client.service_is_ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f'the node started by {python} does not answer')
            time.sleep(0.005)
        future = client.call_async(GetState.Request())
        rclpy.spin_until_future_complete(client_node, future, timeout_sec=TIME_LIMIT)
        times = psutil.Process(process.pid).cpu_times()
        return float(times.user + times.system)
    finally:
        process.kill()
        process.wait()
        client_node.destroy_node()


def _help_seconds(python: Path) -> float:
    before = os.times()
    process = _start(python, _module(python, COMMANDS), '--help')
    process.wait()
    after = os.times()
    children = ('children_user', 'children_system')
    return sum(getattr(after, name) - getattr(before, name) for name in children)


def _start(python: Path, module: str, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [str(python), '-m', module, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd='/',  # the installation's modules, not those of this checkout
    )


def _module(python: Path, names: Sequence[str]) -> str:
    if python == Path(sys.executable):
        return next(name for name in names if find_spec(name))
    command = [str(python), '-c', FIND, *names]
    return subprocess.run(
        command, check=True, capture_output=True, text=True, cwd='/'
    ).stdout.strip()


def _row(
    measure: str, names: Sequence[str], seconds: dict[tuple[str, str], list[float]]
) -> dict[str, Any]:
    medians = {name: statistics.median(seconds[measure, name]) for name in names}
    row: dict[str, Any] = {'until': measure, **{f'{n} [s]': medians[n] for n in names}}
    if len(names) > 1:
        row['ratio'] = medians['this'] / medians['other']
    return row


def _show(facts: dict[str, str], rows: Sequence[dict[str, Any]]) -> None:
    console = Console(markup=False)
    show_facts(console, facts)
    table = Table(*rows[0].keys())
    for row in rows:
        table.add_row(*(v if isinstance(v, str) else f'{v:.2f}' for v in row.values()))
    console.print(table)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description='CPU seconds of starting.')
    parser.add_argument('--against', type=Path, help='Python of another installation')
    parser.add_argument('--repeats', type=whole, default=5)
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the numbers here too')
    return parser


if __name__ == '__main__':
    main()
