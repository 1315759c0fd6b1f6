# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Play a clip as a camera to the real reward node, over the real middleware."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn

from topreward_ros.errors import InterruptedRunError, TopRewardError
from topreward_ros.files import check_folder
from topreward_ros.nodes.common.middleware import image_topic
from topreward_ros.nodes.sessions.processes import ChildProcesses, tail
from topreward_ros.nodes.sessions.recorder import Recorder
from topreward_ros.nodes.sessions.session import Session, open_session
from topreward_ros.recordings.clip import Clip
from topreward_ros.recordings.clip_source import open_clip
from topreward_ros.results.plot import plot_run
from topreward_ros.results.score_table import Row, write_rows

# Unique names, separate from a robot's camera and node and from other players
NAMESPACE = f'/topreward_play_{os.getpid()}'
TOPIC_CAMERA = f'{NAMESPACE}/camera/image_raw'
CLOCK_REMAPPING = {'/clock': f'{NAMESPACE}/clock'}
OUTPUTS = (
    ('bag', 'messages, MCAP'),
    ('scores.csv', 'scores, a row each'),
    ('progress.png', 'plot'),
    ('reward_node.log', 'log of the node'),
)
LAST_FRAME = 0.5  # after the publisher's end, for its last image to arrive [s]
LAST_SCORE = 0.5  # after the node is done, for the last message to arrive [s]


@dataclass(frozen=True)
class PlayOptions:
    """What to play and how.

    rate is the playback speed (1: real time); note is printed and drawn in the plot; settings are
    parameters of the node.
    """

    clip: str | None
    task: str
    model: str
    save: Path | None = None
    rate: float = 1.0
    note: str = ''
    image_transport: str = 'raw'
    record_images: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)


class PlayError(TopRewardError):
    """The node or the publisher ended too early, or nothing was scored."""


def play(options: PlayOptions) -> Path:
    """Play, record and plot; return the folder with bag, table and plot.

    Raises TopRewardError.
    """
    clip = open_clip(options.clip)
    folder = options.save or Path(f'topreward_{clip.name}_{datetime.now():%Y%m%d-%H%M%S}')
    if existing := [name for name, _ in OUTPUTS if (folder / name).exists()]:
        raise PlayError(
            f'{folder} holds {", ".join(existing)} already: choose another folder with --save'
        )
    check_folder(folder)
    console = Console()
    if options.note:
        console.print(options.note, style='bold yellow')
    images = image_topic(TOPIC_CAMERA, options.image_transport) if options.record_images else ''
    compressed = options.image_transport == 'compressed'
    with open_session(folder / 'bag', NAMESPACE, images, compressed) as session:
        recorder = session.recorder
        try:
            with session.interruptible():
                _run(options, clip, folder, session, console)
        finally:  # also after an error or an interrupt
            write_rows(folder / 'scores.csv', recorder.rows)
    if recorder.rows:
        plot_run(folder / 'progress.png', clip, recorder.rows, recorder.successes, options.note)
        _print_summary(console, folder, recorder)
    if not session.is_whole:
        raise InterruptedRunError('interrupted: the scores so far are saved')
    if not recorder.rows:
        raise PlayError(f'nothing was scored; see {folder / "reward_node.log"}')
    if recorder.problem:
        raise PlayError(f'not all of the clip was scored: {recorder.problem}')
    return folder


def _run(
    options: PlayOptions, clip: Clip, folder: Path, session: Session, console: Console
) -> None:
    log, recorder = folder / 'reward_node.log', session.recorder
    with log.open('w', encoding='utf-8') as stream, ChildProcesses() as children:
        node = _start_node(options, children, stream)
        with console.status('loading the model ...'):
            while recorder.fact('state') != 'active':
                session.listen(0.1)
                if node.poll() is not None:
                    raise PlayError(f'the node did not start:\n{tail(log)}')
        publisher = _start_publisher(options, children, stream)
        with _bar(console) as bar:
            task = bar.add_task('', total=clip.seconds, live='waiting for the first score')
            began: float | None = None
            ended: list[float] = []
            while not _done(publisher, recorder, ended):
                session.listen(0.1)
                if node.poll() is not None:
                    raise PlayError(f'the node ended:\n{tail(log)}')
                if not recorder.rows and recorder.warning:
                    bar.update(task, live=f'[yellow]{escape(recorder.warning)}[/yellow]')
                if recorder.rows:
                    began = began or time.monotonic()
                    played = (time.monotonic() - began) * options.rate
                    bar.update(task, completed=min(played, clip.seconds), live=_live(recorder))
            if publisher.returncode:
                raise PlayError(f'the publisher failed:\n{tail(log)}')
            bar.update(task, completed=clip.seconds)
        session.listen(LAST_SCORE)


def _done(publisher: subprocess.Popen[bytes], recorder: Recorder, ended: list[float]) -> bool:
    """Return whether the clip has ended and the node has since reported no waiting frames."""
    if publisher.poll() is None:
        return False
    if not ended:
        ended.append(time.monotonic() + LAST_FRAME)
    return recorder.health_time > ended[0] and recorder.fact('frames waiting') == '0'


def _value(row: Row) -> str:
    if row.score.log_prob is None:
        return f'model {row.score.value:.3f}'
    return f'log P("True") {row.score.log_prob:.3f}'


def _live(recorder: Recorder) -> str:
    row = recorder.rows[-1]
    success = '  [green]success[/green]' if recorder.successes else ''
    return (
        f'progress [bold]{row.progress:5.3f}[/bold]  {_value(row)}  '
        f'{row.score.frames} frames{success}'
    )


def _bar(console: Console) -> Progress:
    return Progress(
        BarColumn(bar_width=30),
        TextColumn('{task.completed:5.1f} / {task.total:.1f} s'),
        TextColumn('{task.fields[live]}'),
        console=console,
    )


def _start_node(
    options: PlayOptions, children: ChildProcesses, log: IO[str]
) -> subprocess.Popen[bytes]:
    simulated = options.rate != 1
    return children.start_node(
        'reward.node',
        log,
        namespace=NAMESPACE,
        remappings={
            'image': image_topic(TOPIC_CAMERA, options.image_transport),
            **(CLOCK_REMAPPING if simulated else {}),
        },
        parameters={
            'autostart': True,
            'task': options.task,
            'model': options.model,
            'image_transport': options.image_transport,
            'use_sim_time': simulated,
            'diagnostics_period': 0.2,
            **options.settings,
        },
    )


def _start_publisher(
    options: PlayOptions, children: ChildProcesses, log: IO[str]
) -> subprocess.Popen[bytes]:
    simulated = options.rate != 1
    return children.start_node(
        'cameras.video_publisher',
        log,
        remappings={
            'image_raw': TOPIC_CAMERA,
            'image_raw/compressed': f'{TOPIC_CAMERA}/compressed',
            **(CLOCK_REMAPPING if simulated else {}),
        },
        parameters={
            'source': options.clip or '',
            'speed': float(options.rate),
            'image_transport': options.image_transport,
            'publish_clock': simulated,
            'wait_for_subscribers': 2 if options.record_images else 1,
        },
    )


def _print_summary(console: Console, folder: Path, recorder: Recorder) -> None:
    last = recorder.rows[-1]
    console.print(
        f'{len(recorder.rows)} scores, the last of {last.score.frames} frames: progress '
        f'{last.progress:.3f}, {_value(last)}; '
        f'median latency {np.nanmedian([row.latency for row in recorder.rows]):.2f} s; '
        + (f'success at {recorder.successes[0]:.1f} s' if recorder.successes else 'no success')
    )
    for count, what in recorder.lost():
        console.print(f'  [yellow]{count} {what}[/yellow]', highlight=False)
    for name, what in OUTPUTS:
        console.print(f'  {folder / name}  [dim]{what}[/dim]', soft_wrap=True, highlight=False)
