# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`topreward demo`: run the real nodes on the small simulated world, over the real middleware.

The scene is a camera in this process; the reward node and the episode reset node are separate
processes. The reset node ends each episode, triggers the scene's reset, and publishes when the next
episode runs, as it would with a robot.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import numpy as np
from rich.console import Console

from topreward_ros.demo.drawing import film
from topreward_ros.demo.model import folder_for, settings_for
from topreward_ros.demo.scene import SceneEpisode
from topreward_ros.demo.tasks import KINDS, known_tasks
from topreward_ros.errors import InterruptedRunError, TopRewardError
from topreward_ros.files import check_folder
from topreward_ros.nodes.cameras.scene_camera import SceneCamera, make_scene
from topreward_ros.nodes.reset.episode_log import EpisodeRecord, read_log
from topreward_ros.nodes.sessions.processes import ChildProcesses, end_of
from topreward_ros.nodes.sessions.recorder import Recorder
from topreward_ros.nodes.sessions.session import Session, open_session
from topreward_ros.results.score_table import write_rows
from topreward_ros.results.video import write_video

from .board import Board, judge, scene_lines, verdict_table, wrongly_judged
from .plot import plot_episodes

NAMESPACE = f'/topreward_demo_{os.getpid()}'
TOPIC_CAMERA = f'{NAMESPACE}/image_raw'
LOG = 'nodes.log'
SUCCESSES = 3
FAILURES = 3
CAMERA_FPS = 10.0
FPS = 4.0  # of the frames scored
SIDE = 480  # of the images [px]
EPISODE_TIME = 6.0  # after which an episode has failed [s]
SETTLE_TIME = 0.3  # after a reset [s]
START_LIMIT = 900.0  # until the first episode: loading a large model may take long [s]
TIME_LIMIT = 120.0  # for all episodes [s]
NO_EPISODE = 'no episode began within {:g} s'


class DemoError(TopRewardError):
    """A node ended too early, or an episode was judged wrongly."""


@dataclass(frozen=True)
class DemoOptions:
    """Options of the demo: seed of the episodes, folder to save to, model (empty: the demo's).

    reward_model is the parameter of the reward node.
    """

    seed: int = 0
    save: Path | None = None
    model: str = ''
    headless: bool = False
    reward_model: str = 'auto'


def programme(seed: int) -> list[SceneEpisode]:
    """Return a mix of successes and failures, of different tasks that the model knows."""
    random = np.random.default_rng([seed, 20])
    failures = [kind for kind in KINDS if kind != 'success']
    kinds = ['success'] * SUCCESSES + list(random.permutation(failures)[:FAILURES])
    known = known_tasks()
    tasks = [known[k] for k in random.permutation(len(known))]
    return [
        SceneEpisode(100 * seed + k, str(kind), tasks[k])
        for k, kind in enumerate(random.permutation(kinds))
    ]


def demo(options: DemoOptions) -> None:
    """Run the episodes, print the verdicts and plot. Raises DemoError for a wrong verdict."""
    console = Console(emoji=False)
    episodes = programme(options.seed)
    picture = picture_file(options.save)
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.save or Path(scratch)
        scene, recorder, is_whole = _play(options, episodes, folder, console)
        judged = judge(scene.shown, recorder)
        outcomes = [record.outcome for record in log_of(folder)]
        is_scored = any(one.times for one in judged)
        keep_scores(recorder, options.save, is_whole, is_scored)
        if options.save:
            frames = (image for one in judged for image in film(one.episode, CAMERA_FPS))
            write_video(folder / 'demo.mp4', frames, CAMERA_FPS)
    plot_episodes(picture, judged)
    console.print(verdict_table(judged))
    console.print(f'{picture}  plot', highlight=False, soft_wrap=True, markup=False)
    if wrong := wrongly_judged(judged, outcomes, len(episodes)):
        raise DemoError(f'{wrong} of {len(episodes)} episodes were judged wrongly')


def keep_scores(recorder: Recorder, save: Path | None, is_whole: bool, is_scored: bool) -> None:
    """Write the scores into the folder to save to.

    Raises InterruptedRunError for a run that is not whole, DemoError for one without scores.
    """
    if recorder.rows and save:
        write_rows(save / 'scores.csv', recorder.rows)
    if not is_whole:
        raise InterruptedRunError('interrupted: the remaining episodes were not judged')
    if not is_scored:
        raise DemoError('nothing was scored')


def picture_file(save: Path | None) -> Path:
    """Return the file of the picture; raises DemoError if the folder to save to is not empty."""
    picture = Path(f'topreward_demo_{datetime.now():%Y%m%d-%H%M%S}.png')
    if save:
        if save.exists() and not (save.is_dir() and _is_free(save)):
            raise DemoError(f'{save} is not an empty folder: choose another with --save')
        picture = save / 'demo.png'
    check_folder(save or Path())
    return picture


def _is_free(folder: Path) -> bool:
    """Return whether a folder is empty, or has the log alone of a start that failed."""
    return all(file.name == LOG for file in folder.iterdir())


def log_of(folder: Path) -> list[EpisodeRecord]:
    """Return the rows of the reset node's log so far."""
    file = folder / 'episodes.csv'
    return read_log(file) if file.is_file() else []


def _play(
    options: DemoOptions, episodes: Sequence[SceneEpisode], folder: Path, console: Console
) -> tuple[SceneCamera, Recorder, bool]:
    """Run the episodes; return scene, recorder, and whether all of them were played."""
    with recorded_run(folder, TOPIC_CAMERA if options.save else '') as session:
        scene = _scene(episodes)
        session.add(scene)
        try:
            with session.interruptible(), Board(console, options.headless) as board:
                _run(options, episodes, folder, scene=scene, session=session, board=board)
        finally:
            scene.destroy_node()
    return scene, session.recorder, session.is_whole


@contextmanager
def recorded_run(folder: Path, image_topic: str) -> Iterator[Session]:
    """Open a session with a bag in the folder, for the duration of the context.

    What a run without a score leaves is deleted, so that the next try can use the folder.
    """
    is_scored = False
    try:
        with open_session(folder / 'bag', NAMESPACE, image_topic) as session:
            try:
                yield session
            finally:
                is_scored = bool(session.recorder.rows)
    finally:
        if not is_scored:
            shutil.rmtree(folder / 'bag', ignore_errors=True)
            (folder / 'episodes.csv').unlink(missing_ok=True)


def _scene(episodes: Sequence[SceneEpisode]) -> SceneCamera:
    return make_scene(
        episodes,
        namespace=NAMESPACE,
        remappings={'running': f'{NAMESPACE}/episode_reset/running'},
        parameters={
            'fps': CAMERA_FPS,
            'width': SIDE,
            'height': SIDE,
            'wait_for_running': True,
        },
    )


def _run(
    options: DemoOptions,
    episodes: Sequence[SceneEpisode],
    folder: Path,
    *,
    scene: SceneCamera,
    session: Session,
    board: Board,
) -> None:
    log = folder / LOG
    tasks = [episode.task.say() for episode in episodes]
    until, is_begun = time.monotonic() + START_LIMIT, False
    with log.open('w', encoding='utf-8') as stream, ChildProcesses() as children:
        nodes = {
            'the reward node': _start_reward_node(options, children, stream),
            'the reset node': _start_reset_node(tasks, folder, children, stream),
        }
        while not scene.is_over:
            session.listen(0.05)
            board.show(scene_lines(scene.shown, session.recorder))
            for name, node in nodes.items():
                if node.poll() is not None:
                    raise DemoError(end_of(f'{name} ended', node, log, bool(options.save)))
            if scene.shown and not is_begun:
                until, is_begun = time.monotonic() + TIME_LIMIT, True
            if time.monotonic() > until:
                raise DemoError(
                    f'the episodes took more than {TIME_LIMIT:g} s'
                    if is_begun
                    else NO_EPISODE.format(START_LIMIT)
                )
        board.show(scene_lines(scene.shown, session.recorder))
        # The reset node still has to receive the end of the last reset, and to log it
        for _ in range(40):
            session.listen(0.05)
            if len(log_of(folder)) == len(tasks):
                break


def _start_reward_node(options: DemoOptions, children: ChildProcesses, log: IO[str]) -> Any:
    return children.start_node(
        'reward.node',
        log,
        namespace=NAMESPACE,
        remappings={'image': TOPIC_CAMERA},
        parameters={
            'autostart': True,
            'model': options.model or str(folder_for(options.reward_model)),
            'reward_model': options.reward_model,
            **settings_for(options.reward_model),
            'fps': FPS,
            'diagnostics_period': 0.2,
        },
        # The small model is faster with one thread
        environ={} if options.model else {'OMP_NUM_THREADS': '1'},
    )


def _start_reset_node(
    tasks: Sequence[str], folder: Path, children: ChildProcesses, log: IO[str]
) -> Any:
    return children.start_node(
        'reset.node',
        log,
        namespace=NAMESPACE,
        parameters={
            'autostart': True,
            'tasks': list(tasks),
            'episode_time': EPISODE_TIME,
            'settle_time': SETTLE_TIME,
            'trigger_service': f'{NAMESPACE}/scene/reset',
            'log_file': str(folder / 'episodes.csv'),
        },
    )
