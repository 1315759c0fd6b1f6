# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`topreward play`: a recording as a camera, through the real node, over the real middleware."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn
from sensor_msgs.msg import CompressedImage, Image

from ..offline.clip import Clip, open_clip
from ..offline.plot import plot_run
from ..offline.score_table import write_rows
from ..offline.whole_files import check_folder
from ..scoring.errors import TopRewardError
from .middleware import image_topic
from .processes import TOPREWARD, Children, listen, tail
from .recorder import InterruptedRunError, Recorder, recording

# Names of its own, so that it meets neither a robot's camera and node nor another player
NAMESPACE = f'/topreward_play_{os.getpid()}'
CAMERA = f'{NAMESPACE}/camera/image_raw'
CLOCK = f'/clock:={NAMESPACE}/clock'
OUTPUTS = (
    ('bag', 'the messages, MCAP'),
    ('scores.csv', 'a row per score'),
    ('progress.png', 'the picture'),
    ('reward_node.log', 'what the node said'),
)
LAST_FRAME = 0.5  # after the publisher's end, for its last image to be taken [s]
LAST_SCORE = 0.5  # after the node is done, for the last message to arrive [s]


@dataclass(frozen=True)
class PlayOptions:
    """What to play and how; rate is how fast, 1 is real time; note is told, and in the picture."""

    clip: str | None
    task: str
    model: str
    save: Path | None = None
    rate: float = 1.0
    note: str = ''
    image_transport: str = 'raw'
    record_images: bool = False
    settings: tuple[str, ...] = field(default=())


class PlayError(TopRewardError):
    """The node or the publisher ended before its time, or nothing was scored."""


def play(options: PlayOptions) -> Path:
    """Play, record and draw; the folder with bag, table and picture. Raises TopRewardError."""
    clip = open_clip(options.clip)
    folder = options.save or Path(f'topreward_{clip.name}_{datetime.now():%Y%m%d-%H%M%S}')
    if taken := [name for name, _ in OUTPUTS if (folder / name).exists()]:
        raise PlayError(f'{folder} holds {", ".join(taken)} already: give another folder to --save')
    check_folder(folder)
    console = Console()
    if options.note:
        console.print(options.note, style='bold yellow')
    is_whole = False
    with recording(folder / 'bag', NAMESPACE, _images(options)) as recorder:
        try:
            _run(options, clip, folder, recorder, console)
            is_whole = True
        except (KeyboardInterrupt, ExternalShutdownException):
            pass
        finally:  # whatever ended it
            write_rows(folder / 'scores.csv', recorder.rows)
    if recorder.rows:
        plot_run(folder / 'progress.png', clip, recorder.rows, recorder.successes, options.note)
        _tell(console, folder, recorder)
    if not is_whole:
        raise InterruptedRunError('interrupted: what was scored is kept')
    if not recorder.rows:
        raise PlayError(f'nothing was scored; see {folder / "reward_node.log"}')
    if recorder.trouble:
        raise PlayError(f'the scores are not those of the whole clip: {recorder.trouble}')
    return folder


def _images(options: PlayOptions) -> tuple[str, type] | None:
    if not options.record_images:
        return None
    compressed = options.image_transport == 'compressed'
    topic = image_topic(CAMERA, options.image_transport)
    return topic, CompressedImage if compressed else Image


def _run(
    options: PlayOptions, clip: Clip, folder: Path, recorder: Recorder, console: Console
) -> None:
    executor = SingleThreadedExecutor()
    executor.add_node(recorder)
    log = folder / 'reward_node.log'
    with log.open('w', encoding='utf-8') as stream, Children() as children:
        node = children.start(_node_command(options), stream)
        with console.status('loading the model ...'):
            while recorder.fact('state') != 'active':
                executor.spin_once(timeout_sec=0.1)
                if node.poll() is not None:
                    raise PlayError(f'the node did not start:\n{tail(log)}')
        publisher = children.start(_publisher_command(options), stream)
        with _bar(console) as bar:
            task = bar.add_task('', total=clip.seconds, live='waiting for the first score')
            began: float | None = None
            ended: list[float] = []
            while not _done(publisher, recorder, ended):
                listen(executor, 0.1)
                if node.poll() is not None:
                    raise PlayError(f'the node ended:\n{tail(log)}')
                if not recorder.rows and recorder.complaint:
                    bar.update(task, live=f'[yellow]{escape(recorder.complaint)}[/yellow]')
                if recorder.rows:
                    began = began or time.monotonic()
                    played = (time.monotonic() - began) * options.rate
                    bar.update(task, completed=min(played, clip.seconds), live=_live(recorder))
            if publisher.returncode:
                raise PlayError(f'the publisher failed:\n{tail(log)}')
            bar.update(task, completed=clip.seconds)
        listen(executor, LAST_SCORE)


def _done(publisher: subprocess.Popen[bytes], recorder: Recorder, ended: list[float]) -> bool:
    """Whether the clip is over and the node has since said that no frame waits."""
    if publisher.poll() is None:
        return False
    if not ended:
        ended.append(time.monotonic() + LAST_FRAME)
    return recorder.health_time > ended[0] and recorder.fact('frames waiting') == '0'


def _live(recorder: Recorder) -> str:
    row = recorder.rows[-1]
    success = '  [green]success[/green]' if recorder.successes else ''
    return (
        f'progress [bold]{row.progress:5.3f}[/bold]  log P {row.log_prob:7.3f}  '
        f'{row.frames} frames{success}'
    )


def _bar(console: Console) -> Progress:
    return Progress(
        BarColumn(bar_width=30),
        TextColumn('{task.completed:5.1f} / {task.total:.1f} s'),
        TextColumn('{task.fields[live]}'),
        console=console,
    )


def _node_command(options: PlayOptions) -> list[str]:
    command = [*TOPREWARD, 'run', '--camera', CAMERA, '--task', options.task]
    command += ['--model', options.model, '--image-transport', options.image_transport]
    command += ['--namespace', NAMESPACE]
    command += ['--use-sim-time', '--remap', CLOCK] if options.rate != 1 else []
    for setting in ('diagnostics_period=0.2', *options.settings):
        command += ['--set', setting]
    return command


def _publisher_command(options: PlayOptions) -> list[str]:
    command = [*TOPREWARD, 'publish', *([options.clip] if options.clip else [])]
    command += ['--topic', CAMERA, '--speed', str(options.rate)]
    command += ['--wait', '2' if options.record_images else '1']
    command += ['--image-transport', options.image_transport]
    return command + (['--clock', '--remap', CLOCK] if options.rate != 1 else [])


def _tell(console: Console, folder: Path, recorder: Recorder) -> None:
    last = recorder.rows[-1]
    console.print(
        f'{len(recorder.rows)} scores, the last of {last.frames} frames: progress '
        f'{last.progress:.3f}, log P("True") {last.log_prob:.3f}; '
        f'median latency {np.nanmedian([row.latency for row in recorder.rows]):.2f} s; '
        + (f'success at {recorder.successes[0]:.1f} s' if recorder.successes else 'no success')
    )
    for count, what in recorder.lost():
        console.print(f'  [yellow]{count} {what}[/yellow]', highlight=False)
    for name, what in OUTPUTS:
        console.print(f'  {folder / name}  [dim]{what}[/dim]', soft_wrap=True, highlight=False)
