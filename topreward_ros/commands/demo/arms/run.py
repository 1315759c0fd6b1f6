# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`topreward demo --world so101` or `panda`: the real nodes on a simulated arm, unattended.

The arm is a node of this process and makes the clock; the reward node and the episode reset node
are separate processes. The reset node ends each episode, moves the arm home by a trajectory,
triggers the reset of the scene, which publishes the next task, and begins the next episode. All
times, and all verdicts, are of the stamps.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from rich.console import Console

from topreward_ros.demo.model import FOLDER_ARMS, settings_for
from topreward_ros.nodes.sessions.processes import ChildProcesses, end_of
from topreward_ros.nodes.sessions.recorder import Recorder
from topreward_ros.nodes.sessions.session import Session
from topreward_ros.recordings.bags.reader import Bag
from topreward_ros.results.video import write_video
from topreward_ros.scoring.sampling import NANOSECONDS
from topreward_ros.share import share_directory

from ..board import Board, Line, line_of
from ..run import (
    LOG,
    NAMESPACE,
    NO_EPISODE,
    START_LIMIT,
    DemoError,
    keep_scores,
    log_of,
    picture_file,
    recorded_run,
)
from .attempts import Judgement, judge, plan, problem, strays, verdict_table
from .film import film_frames
from .picture import plot_attempts
from .simulator import Witness, load_simulator

CONFIG = {'so101': 'so101.yaml', 'panda': 'franka.yaml'}  # of the reset node
NAMES = {'so101': 'SO-101', 'panda': 'Panda'}
TOPIC_CAMERA = f'{NAMESPACE}/top/image_raw'
CLOCK = {'/clock': f'{NAMESPACE}/clock'}
CAMERA_FPS = 8.0
FPS = 2.0  # of the frames scored: what the model was trained for
SIDE = 128  # of the images [px]
REAL_TIME_FACTOR = 1.0  # of the simulation
EPISODE_TIME = 20.0  # after which an episode has failed; longer than any attempt [s]
TIME_LIMIT = 120.0  # for an episode and its reset, in simulated time [s]
LAST_ROW = 2.0  # until the last reset is in the log [s]


@dataclass(frozen=True)
class ArmDemoOptions:
    """Options of the demo: an arm, how many episodes, their seed, and where to save.

    model is empty for the demo's own, reward_model for the one that it was trained for.
    """

    world: str
    episodes: int
    seed: int = 0
    save: Path | None = None
    model: str = ''
    headless: bool = False
    reward_model: str = ''


def demo_arm(options: ArmDemoOptions) -> None:
    """Run the episodes, print the verdicts and plot. Raises DemoError for too many wrong ones."""
    load_simulator()
    console = Console(emoji=False)
    picture = picture_file(options.save)
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.save or Path(scratch)
        witness, recorder, is_whole = _play(options, folder, console)
        judged = judge(witness.attempts, *_published(recorder), log_of(folder))
        is_scored = any(one.times for one in judged)
        keep_scores(recorder, options.save, is_whole, is_scored)
        if options.save:
            write_video(folder / 'demo.mp4', film_frames(_images(folder), judged), CAMERA_FPS)
    right = sum(one.is_right for one in judged)
    title = f'{NAMES[options.world]}: {right} of {options.episodes} episodes judged rightly'
    plot_attempts(picture, judged, title)
    console.print(verdict_table(judged))
    console.print(f'{picture}  plot', highlight=False, soft_wrap=True, markup=False)
    stray = strays(witness.attempts, _published(recorder)[1])
    if what := problem(judged, stray, options.episodes):
        raise DemoError(what)


def _published(recorder: Recorder) -> tuple[list[tuple[float, float]], list[float]]:
    """Return the stamps [s] of the images scored with their progress, and those of successes."""
    first = recorder.first_stamp / NANOSECONDS
    scores = [(first + row.time, row.progress) for row in recorder.rows]
    return scores, [first + time for time in recorder.successes]


def _images(folder: Path) -> Iterator[tuple[float, np.ndarray]]:
    """Yield the camera's images from the bag, with their stamps [s]."""
    with Bag(folder / 'bag', TOPIC_CAMERA.removeprefix(NAMESPACE)) as bag:
        for image, pixels in bag.frames():
            yield image.stamp / NANOSECONDS, pixels


def _play(
    options: ArmDemoOptions, folder: Path, console: Console
) -> tuple[Witness, Recorder, bool]:
    """Run the episodes; return their witness, the recorder, and whether all were played."""
    with recorded_run(folder, TOPIC_CAMERA if options.save else '') as session:
        witness = _simulate(options)
        session.add(witness.node)
        try:
            with session.interruptible(), Board(console, options.headless) as board:
                _run(options, folder, witness=witness, session=session, board=board)
        finally:
            witness.close()
    return witness, session.recorder, session.is_whole


def _simulate(options: ArmDemoOptions) -> Witness:
    return Witness(
        options.world,
        plan(options.seed, options.episodes),
        namespace=NAMESPACE,
        remappings={
            **CLOCK,
            'running': f'{NAMESPACE}/episode_reset/running',
            'task': f'{NAMESPACE}/topreward/task',
        },
        parameters={
            'fps': CAMERA_FPS,
            'width': SIDE,
            'height': SIDE,
            'real_time_factor': REAL_TIME_FACTOR,
            'wait_for_running': True,
        },
    )


def _run(
    options: ArmDemoOptions,
    folder: Path,
    *,
    witness: Witness,
    session: Session,
    board: Board,
) -> None:
    log = folder / LOG
    with log.open('w', encoding='utf-8') as stream, ChildProcesses() as children:
        nodes = {
            'the reward node': _start_reward_node(options, children, stream),
            'the reset node': _start_reset_node(options, folder, children, stream),
        }
        count, since, patience = 0, 0.0, time.monotonic() + START_LIMIT
        while not witness.is_over:
            session.listen(0.05)
            board.show(_lines(witness, session.recorder))
            for name, node in nodes.items():
                if node.poll() is not None:
                    raise DemoError(end_of(f'{name} ended', node, log, bool(options.save)))
            if reason := session.recorder.halted:
                raise DemoError(f'the reset node has halted: {reason}')
            if len(witness.attempts) != count:
                count, since = len(witness.attempts), witness.time
            warning = session.recorder.reset_warning
            says = f'; the reset node says: {warning}' if warning else ''
            if count and witness.time - since > TIME_LIMIT:
                raise DemoError(
                    f'an episode and its reset took more than {TIME_LIMIT:g} s of simulated time'
                    + says
                )
            if not count and time.monotonic() > patience:
                raise DemoError(NO_EPISODE.format(START_LIMIT) + says)
        board.show(_lines(witness, session.recorder))
        # The reset node still has to receive the end of the last reset, and to log it
        end = time.monotonic() + LAST_ROW
        while len(log_of(folder)) < options.episodes and time.monotonic() < end:
            session.listen(0.05)


def _lines(witness: Witness, recorder: Recorder) -> list[Line]:
    judged: Sequence[Judgement] = judge(witness.attempts, *_published(recorder))
    return [
        line_of(one.attempt.task, one.progress, one.detected, one.attempt.ended < float('inf'))
        for one in judged
    ]


def _start_reward_node(options: ArmDemoOptions, children: ChildProcesses, log: IO[str]) -> Any:
    is_own = not options.model
    reward_model = 'robometer' if is_own else options.reward_model or 'auto'
    return children.start_node(
        'reward.node',
        log,
        namespace=NAMESPACE,
        remappings={'image': TOPIC_CAMERA, **CLOCK},
        parameters={
            'autostart': True,
            'use_sim_time': True,
            'model': options.model or str(FOLDER_ARMS),
            'reward_model': reward_model,
            **settings_for('robometer' if reward_model == 'auto' else reward_model),
            'fps': FPS,
            'diagnostics_period': 0.2,
        },
        # The small model is faster with one thread
        environ={'OMP_NUM_THREADS': '1'} if is_own else {},
    )


def _start_reset_node(
    options: ArmDemoOptions, folder: Path, children: ChildProcesses, log: IO[str]
) -> Any:
    return children.start_node(
        'reset.node',
        log,
        namespace=NAMESPACE,
        remappings=CLOCK,
        params_file=share_directory() / 'config' / CONFIG[options.world],
        parameters={
            'autostart': True,
            'use_sim_time': True,
            'reset': 'home_motion, trigger',
            'trigger_service': f'{NAMESPACE}/arm_sim/reset',
            'episode_time': EPISODE_TIME,
            'log_file': str(folder / 'episodes.csv'),
        },
    )
