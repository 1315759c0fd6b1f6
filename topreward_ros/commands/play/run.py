# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Play a clip as a camera to the real reward node, over the real middleware."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn

from topreward_ros.errors import InterruptedRunError, TopRewardError
from topreward_ros.files import check_folder, write_json
from topreward_ros.nodes.common.middleware import image_topic
from topreward_ros.nodes.reward.settings import RewardSettings
from topreward_ros.nodes.sessions.paced_playback import play_paced
from topreward_ros.nodes.sessions.processes import ChildProcesses, end_of
from topreward_ros.nodes.sessions.session import Session, open_session
from topreward_ros.recordings.clip import Clip
from topreward_ros.recordings.clip_sampling import sampled
from topreward_ros.recordings.clip_source import open_clip
from topreward_ros.results.plot import plot_run
from topreward_ros.results.score_table import write_rows
from topreward_ros.scoring.sampling import FrameWindow

from .summary import OUTPUTS, Summary, live, print_summary

# Unique names, separate from a robot's camera and node and from other players
NAMESPACE = f'/topreward_play_{os.getpid()}'
TOPIC_CAMERA = f'{NAMESPACE}/camera/image_raw'
CLOCK_REMAPPING = {'/clock': f'{NAMESPACE}/clock'}
LOG = 'reward_node.log'
LAST_FRAME = 0.5  # after the publisher's end, for its last image to arrive [s]
LAST_SCORE = 0.5  # after the node is done, for the last message to arrive [s]


@dataclass(frozen=True)
class PlayOptions:
    """What to play and how.

    rate is the playback speed (1: real time; None: as fast as the node scores); note is printed
    and drawn in the plot; settings are parameters of the node.
    """

    clip: str | None
    task: str
    model: str
    save: Path | None = None
    rate: float | None = 1.0
    note: str = ''
    image_transport: str = 'raw'
    record_images: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_simulated(self) -> bool:
        """Whether the node follows the time of the clip, on /clock."""
        return self.rate != 1

    @property
    def node_parameters(self) -> dict[str, Any]:
        return {
            'autostart': True,
            'task': self.task,
            'model': self.model,
            'image_transport': self.image_transport,
            'diagnostics_period': 0.2,
            **self.settings,
        }


class PlayError(TopRewardError):
    """The node or the publisher ended too early, or nothing was scored."""


def play(options: PlayOptions) -> Path:
    """Play, record and plot; return the folder with bag, table and plot.

    Raises TopRewardError. Without a score only the node's log is left in the folder.
    """
    clip = open_clip(options.clip)
    folder = options.save or Path(f'topreward_{clip.name}_{datetime.now():%Y%m%d-%H%M%S}')
    # A log alone is of a start that failed
    if existing := [name for name, _ in OUTPUTS if name != LOG and (folder / name).exists()]:
        raise PlayError(
            f'{folder} holds {", ".join(existing)} already: choose another folder with --save'
        )
    check_folder(folder)
    console = Console(emoji=False)
    told = [note for note in (options.note, *clip.notes) if note]
    _print_notes(console, told)
    images = image_topic(TOPIC_CAMERA, options.image_transport) if options.record_images else ''
    compressed = options.image_transport == 'compressed'
    table = folder / 'scores.csv'
    try:
        with open_session(folder / 'bag', NAMESPACE, images, compressed) as session:
            recorder = session.recorder
            try:
                with session.interruptible():
                    _run(options, clip, folder, session, console)
            finally:  # also after an error or an interrupt
                if recorder.rows:
                    write_rows(table, recorder.rows)
    finally:
        if not table.exists():  # so that the folder can be used for the next try
            shutil.rmtree(folder / 'bag', ignore_errors=True)
    if recorder.rows:
        _write_results(options, clip, folder, session, console)
        _print_notes(console, [note for note in clip.notes if note not in told])  # read by now
    if not session.is_whole:
        raise InterruptedRunError(
            f'interrupted: {"the scores so far are saved" if recorder.rows else "without a score"}'
        )
    if not recorder.rows:
        reason = recorder.problem or recorder.warning or 'no image reached the node'
        raise PlayError(f'nothing was scored: {reason}; see {folder / LOG}')
    if recorder.problem:
        raise PlayError(f'not all of the clip was scored: {recorder.problem}')
    return folder


def _print_notes(console: Console, notes: Sequence[str]) -> None:
    for note in notes:
        console.print(note, style='bold yellow', markup=False)


def _write_results(
    options: PlayOptions, clip: Clip, folder: Path, session: Session, console: Console
) -> None:
    """Write the plot and the summary, and print it."""
    recorder = session.recorder
    due = _points_due(options, clip) if session.is_whole else 0
    summary = Summary(len(recorder.rows), due, recorder.lost(), options.rate is None)
    write_json(folder / 'summary.json', summary.content())
    notes = ' '.join(filter(None, (options.note, summary.warning)))
    plot_run(folder / 'progress.png', clip, recorder.rows, recorder.successes, notes)
    print_summary(console, folder, recorder, summary)


def _points_due(options: PlayOptions, clip: Clip) -> int:
    """Return how many images the node would keep, and score, of the clip as it is."""
    return sum(1 for _ in sampled(clip, _window(options)))


def _window(options: PlayOptions) -> FrameWindow:
    """Return a window as the node has it."""
    return RewardSettings(**options.node_parameters).sampling.window()


def _run(
    options: PlayOptions, clip: Clip, folder: Path, session: Session, console: Console
) -> None:
    log, recorder = folder / LOG, session.recorder
    with log.open('w', encoding='utf-8') as stream, ChildProcesses() as children:
        node = _start_node(options, children, stream)
        with console.status('loading the model ...'):
            while recorder.fact('state') != 'active':
                session.listen(0.1)
                if node.poll() is not None:
                    raise PlayError(end_of('the node did not start', node, log))

        def check() -> None:
            if node.poll() is not None:
                raise PlayError(end_of('the node ended', node, log))

        with _bar(console) as bar:
            task = bar.add_task('', total=clip.seconds, live='waiting for the first score')

            def show(seconds: float) -> None:
                if recorder.rows:
                    bar.update(task, completed=min(seconds, clip.seconds), live=live(recorder))
                elif recorder.warning:
                    bar.update(task, live=f'[yellow]{escape(recorder.warning)}[/yellow]')

            if options.rate is None:
                names, values = _publisher_names(options), _publisher_parameters(options)
                window = _window(options)
                play_paced(session, window, check, show, remappings=names, parameters=values)
            else:
                publisher = _start_publisher(options, children, stream)
                _watch(publisher, options.rate, session, check, show)
                if publisher.poll():
                    raise PlayError(end_of('the publisher failed', publisher, log))
            show(clip.seconds)
        session.listen(LAST_SCORE)


def _watch(
    publisher: subprocess.Popen[bytes],
    rate: float,
    session: Session,
    check: Callable[[], None],
    show: Callable[[float], None],
) -> None:
    """Listen until the clip has ended, and the node has since reported no waiting frames."""
    recorder = session.recorder
    began: float | None = None
    ended: float | None = None
    while True:
        session.listen(0.1)
        check()
        if recorder.rows:
            began = began or time.monotonic()
        show((time.monotonic() - began) * rate if began else 0.0)
        if publisher.poll() is not None:
            ended = ended or time.monotonic() + LAST_FRAME
            if recorder.health_time > ended and recorder.fact('frames waiting') == '0':
                return
        if recorder.fact('state') != 'active':  # it gave up, or somebody has deactivated it
            return


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
    return children.start_node(
        'reward.node',
        log,
        namespace=NAMESPACE,
        remappings={
            'image': image_topic(TOPIC_CAMERA, options.image_transport),
            **(CLOCK_REMAPPING if options.is_simulated else {}),
        },
        parameters={**options.node_parameters, 'use_sim_time': options.is_simulated},
    )


def _start_publisher(
    options: PlayOptions, children: ChildProcesses, log: IO[str]
) -> subprocess.Popen[bytes]:
    return children.start_node(
        'cameras.video_publisher',
        log,
        remappings=_publisher_names(options),
        parameters=_publisher_parameters(options),
    )


def _publisher_names(options: PlayOptions) -> dict[str, str]:
    return {
        'image_raw': TOPIC_CAMERA,
        'image_raw/compressed': f'{TOPIC_CAMERA}/compressed',
        **(CLOCK_REMAPPING if options.is_simulated else {}),
    }


def _publisher_parameters(options: PlayOptions) -> dict[str, Any]:
    return {
        'source': options.clip or '',
        'speed': float(options.rate or 0),
        'image_transport': options.image_transport,
        'publish_clock': options.is_simulated,
        'wait_for_subscribers': 2 if options.record_images else 1,
    }
