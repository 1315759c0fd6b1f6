# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`topreward demo`: the small world through the real nodes, over the real middleware.

The scene is a camera in this process; the reward node and the episode reset node are processes of
their own. The reset node ends each episode, has the scene set the table anew, and says when the
next one runs, as it would with a robot.
"""

from __future__ import annotations

import csv
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.parameter import Parameter
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table
from sensor_msgs.msg import Image

from ..demo.drawing import film
from ..demo.model import FOLDER, SETTINGS
from ..demo.scene import KIND_NAMES, KINDS, Episode
from ..demo.tasks import known_tasks
from ..offline.episodes_plot import EpisodeCurve, plot_episodes
from ..offline.film import write_video
from ..offline.score_table import write_rows
from ..offline.whole_files import check_folder
from ..scoring.errors import TopRewardError
from ..scoring.window import NANOSECONDS
from .processes import TOPREWARD, Children, listen, tail
from .recorder import InterruptedRunError, Recorder, recording
from .scene_camera import SceneCamera, Shown

NAMESPACE = f'/topreward_demo_{os.getpid()}'
CAMERA = f'{NAMESPACE}/image_raw'
SUCCESSES = 3
FAILURES = 3
CAMERA_FPS = 10.0
FPS = 4.0  # of the frames scored
SIDE = 480  # of the images [px]
EPISODE_TIME = 6.0  # after that it has failed [s]
SETTLE_TIME = 0.3  # after a reset [s]
PATIENCE = 120.0  # for all episodes [s]


class DemoError(TopRewardError):
    """A node ended before its time, or an episode was judged wrongly."""


@dataclass(frozen=True)
class DemoOptions:
    """What to show: the seed of the episodes, where to save, and the model (empty: the demo's)."""

    seed: int = 0
    save: Path | None = None
    model: str = ''
    headless: bool = False


def programme(seed: int) -> list[Episode]:
    """Successes and failures mixed, of different tasks that the model knows."""
    random = np.random.default_rng([seed, 20])
    failures = [kind for kind in KINDS if kind != 'success']
    kinds = ['success'] * SUCCESSES + list(random.permutation(failures)[:FAILURES])
    known = known_tasks()
    tasks = [known[k] for k in random.permutation(len(known))]
    return [
        Episode(100 * seed + k, str(kind), tasks[k])
        for k, kind in enumerate(random.permutation(kinds))
    ]


def demo(options: DemoOptions) -> None:
    """Show, judge, draw. Raises DemoError unless every episode was judged rightly."""
    console = Console()
    episodes = programme(options.seed)
    picture = Path(f'topreward_demo_{datetime.now():%Y%m%d-%H%M%S}.png')
    if options.save:
        if options.save.exists() and not (
            options.save.is_dir() and not any(options.save.iterdir())
        ):
            raise DemoError(f'{options.save} is not an empty folder: give another to --save')
        picture = options.save / 'demo.png'
    check_folder(options.save or Path())
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.save or Path(scratch)
        scene, recorder, is_whole = _play(options, episodes, folder, console)
        judged = _judge(scene.shown, recorder)
        outcomes = _outcomes(folder)
        if options.save:
            write_rows(folder / 'scores.csv', recorder.rows)
        if not is_whole:
            raise InterruptedRunError('interrupted: the episodes are not judged')
        if not any(one.times for one in judged):
            raise DemoError('nothing was scored')
        if options.save:
            frames = (image for one in judged for image in film(one.episode, CAMERA_FPS))
            write_video(folder / 'demo.mp4', frames, CAMERA_FPS)
    plot_episodes(picture, judged)
    console.print(_table(judged))
    console.print(f'{picture}  [dim]the picture[/dim]', highlight=False, soft_wrap=True)
    if wrong := wrongly_judged(judged, outcomes, len(episodes)):
        raise DemoError(f'{wrong} of {len(episodes)} episodes were not judged rightly')


def wrongly_judged(judged: Sequence[EpisodeCurve], outcomes: Sequence[str], count: int) -> int:
    """How many of so many episodes were not judged rightly, by the reward node or the reset node.

    The ones that were never scored, or cut off, are among them.
    """
    right = 0
    for one, outcome in zip(judged, outcomes, strict=False):
        expected = 'success' if one.episode.is_success else 'time is up'
        right += one.is_right and bool(one.times) and outcome == expected
    return count - right


def _outcomes(folder: Path) -> list[str]:
    """What the reset node has written down of each episode."""
    file = folder / 'episodes.csv'
    if not file.is_file():
        return []
    with file.open(encoding='utf-8', newline='') as stream:
        return [row['outcome'] for row in csv.DictReader(stream)]


def _play(
    options: DemoOptions, episodes: Sequence[Episode], folder: Path, console: Console
) -> tuple[SceneCamera, Recorder, bool]:
    """What was shown and heard, and whether that is all of it."""
    images = (CAMERA, Image) if options.save else None
    with recording(folder / 'bag', NAMESPACE, images) as recorder:
        scene, is_whole = _scene(episodes), False
        try:
            with Board(console, options.headless) as board:
                _run(options, episodes, folder, scene=scene, recorder=recorder, board=board)
            is_whole = True
        except (KeyboardInterrupt, ExternalShutdownException):
            pass
        finally:
            scene.destroy_node()
    return scene, recorder, is_whole


def _scene(episodes: Sequence[Episode]) -> SceneCamera:
    settings = {
        'fps': CAMERA_FPS,
        'width': SIDE,
        'height': SIDE,
        'wait_for_running': True,
    }
    rules = ('-r', f'running:={NAMESPACE}/episode_reset/running')
    return SceneCamera(
        episodes,
        namespace=NAMESPACE,
        cli_args=['--ros-args', '--log-level', 'warn', *rules],
        parameter_overrides=[Parameter(name, value=value) for name, value in settings.items()],
    )


def _run(
    options: DemoOptions,
    episodes: Sequence[Episode],
    folder: Path,
    *,
    scene: SceneCamera,
    recorder: Recorder,
    board: Board,
) -> None:
    executor = SingleThreadedExecutor()
    executor.add_node(recorder)
    executor.add_node(scene)
    log = folder / 'nodes.log'
    tasks = [episode.task.say() for episode in episodes]
    until: float | None = None
    # The small model has no work for more than one, and they would wait for each other.
    threads = {} if options.model else {'OMP_NUM_THREADS': '1'}
    with log.open('w', encoding='utf-8') as stream, Children() as children:
        nodes = [
            children.start(_reward_command(options.model or str(FOLDER)), stream, **threads),
            children.start(_reset_command(tasks, folder), stream),
        ]
        while not scene.is_over:
            listen(executor, 0.05)
            board.show(scene.shown, recorder)
            if any(node.poll() is not None for node in nodes):
                raise DemoError(f'a node ended:\n{tail(log)}')
            if scene.shown:  # the model may have taken long to load
                until = until or time.monotonic() + PATIENCE
            if until and time.monotonic() > until:
                raise DemoError(f'the episodes took more than {PATIENCE} s:\n{tail(log)}')
        board.show(scene.shown, recorder)
        # The reset node has yet to hear that the last reset is done, and to write it down.
        for _ in range(40):
            listen(executor, 0.05)
            if len(_outcomes(folder)) == len(tasks):
                break


class Board:
    """A bar with live progress for each episode; a line each when there is nobody to look."""

    def __init__(self, console: Console, headless: bool) -> None:
        self._console = console
        self._headless = headless
        self._bars = Progress(
            TextColumn('{task.description}'),
            BarColumn(bar_width=30),
            TextColumn('{task.percentage:3.0f} %'),
            TextColumn('{task.fields[verdict]}'),
            console=console,
            disable=headless,
        )
        self._rows: list[Any] = []
        self._told = 0

    def __enter__(self) -> Board:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def show(self, shown: Sequence[Shown], recorder: Recorder) -> None:
        for number, one in enumerate(_judge(shown, recorder), start=1):
            if number > len(self._rows):
                text = f'{number}. {one.episode.task.say()}'
                self._rows.append(self._bars.add_task(text, total=1.0, verdict=''))
            progress = one.progress[-1] if one.progress else 0.0
            verdict = f'success after {one.detected:.1f} s' if one.detected else ''
            if shown[number - 1].ended:
                verdict = verdict or 'no success: time is up'
            self._bars.update(self._rows[number - 1], completed=progress, verdict=verdict)
            if self._headless and shown[number - 1].ended and number > self._told:
                self._told = number
                self._console.print(f'{number}. {one.episode.task.say()}  {verdict}')


def _judge(shown: Sequence[Shown], recorder: Recorder) -> list[EpisodeCurve]:
    """What the nodes said of each episode shown, by the stamps of the images."""
    first = recorder.first_stamp
    curves = []
    for one in shown:
        began, ended = ((stamp - first) / NANOSECONDS for stamp in (one.began, one.ended))
        end = ended if one.ended else float('inf')
        rows = [
            row
            for row in recorder.rows
            if began <= row.time <= end and row.task == one.episode.task.say()
        ]
        detected = [time for time in recorder.successes if began <= time <= end]
        curves.append(
            EpisodeCurve(
                episode=one.episode,
                times=[row.time - began for row in rows],
                progress=[row.progress for row in rows],
                detected=detected[0] - began if detected else None,
            )
        )
    return curves


def _table(judged: Sequence[EpisodeCurve]) -> Table:
    table = Table()
    for name in ('', 'task', 'what the arm does', 'final progress', 'detected', 'judged'):
        table.add_column(name, justify='right' if name in ('', 'final progress') else 'left')
    for number, one in enumerate(judged, start=1):
        table.add_row(
            str(number),
            one.episode.task.say(),
            KIND_NAMES[one.episode.kind],
            f'{one.progress[-1]:.2f}' if one.progress else 'none',
            f'after {one.detected:.1f} s' if one.detected is not None else 'no',
            '[green]right[/green]' if one.is_right else '[bold red]wrong[/bold red]',
        )
    return table


def _reward_command(model: str) -> list[str]:
    command = [*TOPREWARD, 'run', '--camera', CAMERA, '--model', model, '--namespace', NAMESPACE]
    for name, value in {**SETTINGS, 'fps': FPS, 'diagnostics_period': 0.2}.items():
        command += ['--set', f'{name}={value}']
    return command


def _reset_command(tasks: Sequence[str], folder: Path) -> list[str]:
    settings = {
        'autostart': 'true',
        'tasks': json.dumps(list(tasks)),
        'episode_time': EPISODE_TIME,
        'settle_time': SETTLE_TIME,
        'trigger_service': f'{NAMESPACE}/scene/reset',
        'log_file': json.dumps(str(folder / 'episodes.csv')),
    }
    command = [sys.executable, '-m', 'topreward_ros.nodes.episode_reset_node', '--ros-args']
    command += ['-r', f'__ns:={NAMESPACE}']
    for name, value in settings.items():
        command += ['-p', f'{name}:={value}']
    return command
