# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Runs episodes of the small world without a pause through the real nodes, and watches what grows.

python -m tools.soak --minutes 60 --save docs

Writes soak.png and soak.json, and prints the same as a table: memory, threads, file descriptors,
memory on the device and latency with their slopes, and every judgement against the truth. Ends
with 1 where something grows, or an episode was lost or doubled. Needs psutil (extra `test`).
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from rich.console import Console
from rich.progress import Progress as Bar

from topreward_ros.demo.model import FOLDER, SETTINGS
from topreward_ros.demo.scene import SceneEpisode
from topreward_ros.demo.tasks import KINDS, known_tasks
from topreward_ros.nodes.cameras.scene_camera import SceneCamera, make_scene
from topreward_ros.nodes.reset.episode_log import read_log
from topreward_ros.nodes.sessions.processes import ChildProcesses
from topreward_ros.nodes.sessions.session import Session, open_session

from .soak_report import Samples, Verdicts, draw, judged, lines

NAMESPACE = f'/topreward_soak_{os.getpid()}'
EPISODE_TIME = 6.0  # after which an episode has failed [s]
PERIOD = 1.0  # between two samples [s]
SIDE = 240  # of the images [px]


def programme(seed: int) -> Iterator[SceneEpisode]:
    """Yield episodes without end: every second one a success, of all known tasks in turn."""
    random = np.random.default_rng([seed, 31])
    failures = [kind for kind in KINDS if kind != 'success']
    tasks = itertools.cycle(known_tasks())
    for number, task in enumerate(tasks):
        kind = 'success' if number % 2 else str(random.choice(failures))
        yield SceneEpisode(10_000 * seed + number, kind, task)


def soak(minutes: float, seed: int, folder: Path) -> tuple[Samples, Verdicts]:
    """Run for this time; return what was sampled, and the judgements."""
    log = folder / 'episodes.csv'
    with open_session(folder / 'bag', NAMESPACE) as session:
        scene = make_scene(
            programme(seed),
            namespace=NAMESPACE,
            remappings={'running': f'{NAMESPACE}/episode_reset/running'},
            parameters={'width': SIDE, 'height': SIDE, 'wait_for_running': True},
        )
        session.add(scene)
        samples = Samples()
        with (
            session.interruptible(),
            (folder / 'nodes.log').open('w') as stream,
            ChildProcesses() as children,
        ):
            nodes = _start(children, stream, log)
            _watch(session, scene, nodes, samples, minutes * 60)
        shown = list(scene.shown)
        successes = len(session.recorder.successes)
        scene.destroy_node()
    return samples, judged(shown, read_log(log), successes)


def _start(children: ChildProcesses, stream: Any, log: Path) -> dict[str, psutil.Process]:
    reward = children.start_node(
        'reward.node',
        stream,
        namespace=NAMESPACE,
        remappings={'image': f'{NAMESPACE}/image_raw'},
        parameters={'autostart': True, 'model': str(FOLDER), **SETTINGS, 'fps': 4.0},
        environ={'OMP_NUM_THREADS': '1'},
    )
    reset = children.start_node(
        'reset.node',
        stream,
        namespace=NAMESPACE,
        parameters={
            'autostart': True,
            'tasks': [task.say() for task in known_tasks()],
            'episode_time': EPISODE_TIME,
            'settle_time': 0.0,
            'handover_time': 0.0,
            'trigger_service': f'{NAMESPACE}/scene/reset',
            'log_file': str(log),
        },
    )
    return {'reward node': psutil.Process(reward.pid), 'reset node': psutil.Process(reset.pid)}


def _watch(
    session: Session,
    scene: SceneCamera,
    nodes: dict[str, psutil.Process],
    samples: Samples,
    seconds: float,
) -> None:
    """Sample the nodes until the time is over, from the first episode on."""
    while not scene.shown:
        session.listen(0.1)
        _check(nodes)
    began, scored = time.monotonic(), 0
    with Bar(console=Console(stderr=True)) as bar:
        row = bar.add_task('soak', total=seconds)
        while (now := time.monotonic() - began) < seconds:
            session.listen(PERIOD)
            _check(nodes)
            rows = session.recorder.rows
            latencies = [each.latency for each in rows[scored:]]
            scored = len(rows)
            samples.add(now, nodes, latencies, session.recorder.fact('memory'))
            bar.update(row, completed=now, description=f'{len(scene.shown)} episodes')


def _check(nodes: dict[str, psutil.Process]) -> None:
    for name, process in nodes.items():
        if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
            raise SystemExit(f'the {name} has ended')


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--minutes', type=float, default=60.0)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--save', type=Path, default=Path())
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        samples, verdicts = soak(options.minutes, options.seed, Path(scratch))
    slopes = samples.slopes()
    options.save.mkdir(parents=True, exist_ok=True)
    content = {
        'minutes': options.minutes,
        'slopes': {name: vars(slope) for name, slope in slopes.items()},
        'episodes': vars(verdicts),
    }
    (options.save / 'soak.json').write_text(json.dumps(content, indent=1) + '\n', encoding='utf-8')
    draw(options.save / 'soak.png', samples, slopes)
    print('\n'.join(lines(slopes, verdicts)))
    is_steady = not any(slope.grows for slope in slopes.values())
    return int(not is_steady or verdicts.lost + verdicts.doubled > 0)


if __name__ == '__main__':
    sys.exit(main())
