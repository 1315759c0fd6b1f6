# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`topreward demo`: the small world through the real nodes, over the real middleware.

The scene is a camera in this process; the reward node and the episode reset node are processes of
their own. The reset node ends each episode, has the scene set the table anew, and says when the
next one runs, as it would with a robot.
"""

from __future__ import annotations

import csv
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import numpy as np
from rich.console import Console

from topreward_ros.demo.drawing import film
from topreward_ros.demo.model import FOLDER, SETTINGS
from topreward_ros.demo.scene import SceneEpisode
from topreward_ros.demo.tasks import KINDS, known_tasks
from topreward_ros.errors import InterruptedRunError, TopRewardError
from topreward_ros.files import check_folder
from topreward_ros.nodes.cameras.scene_camera import SceneCamera, make_scene
from topreward_ros.nodes.sessions.processes import Children, tail
from topreward_ros.nodes.sessions.recorder import Recorder
from topreward_ros.nodes.sessions.session import Session, open_session
from topreward_ros.results.score_table import write_rows
from topreward_ros.results.video import write_video

from .board import Board, judge, verdict_table, wrongly_judged
from .plot import plot_episodes

NAMESPACE = f'/topreward_demo_{os.getpid()}'
TOPIC_CAMERA = f'{NAMESPACE}/image_raw'
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


def programme(seed: int) -> list[SceneEpisode]:
    """Successes and failures mixed, of different tasks that the model knows."""
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
        judged = judge(scene.shown, recorder)
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
    console.print(verdict_table(judged))
    console.print(f'{picture}  [dim]the picture[/dim]', highlight=False, soft_wrap=True)
    if wrong := wrongly_judged(judged, outcomes, len(episodes)):
        raise DemoError(f'{wrong} of {len(episodes)} episodes were not judged rightly')


def _outcomes(folder: Path) -> list[str]:
    """What the reset node has written down of each episode."""
    file = folder / 'episodes.csv'
    if not file.is_file():
        return []
    with file.open(encoding='utf-8', newline='') as stream:
        return [row['outcome'] for row in csv.DictReader(stream)]


def _play(
    options: DemoOptions, episodes: Sequence[SceneEpisode], folder: Path, console: Console
) -> tuple[SceneCamera, Recorder, bool]:
    """What was shown and heard, and whether that is all of it."""
    images = TOPIC_CAMERA if options.save else ''
    with open_session(folder / 'bag', NAMESPACE, images) as session:
        scene = _scene(episodes)
        session.add(scene)
        try:
            with session.interruptible(), Board(console, options.headless) as board:
                _run(options, episodes, folder, scene=scene, session=session, board=board)
        finally:
            scene.destroy_node()
    return scene, session.recorder, session.is_whole


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
    log = folder / 'nodes.log'
    tasks = [episode.task.say() for episode in episodes]
    until: float | None = None
    with log.open('w', encoding='utf-8') as stream, Children() as children:
        nodes = [
            _start_reward_node(options.model, children, stream),
            _start_reset_node(tasks, folder, children, stream),
        ]
        while not scene.is_over:
            session.listen(0.05)
            board.show(scene.shown, session.recorder)
            if any(node.poll() is not None for node in nodes):
                raise DemoError(f'a node ended:\n{tail(log)}')
            if scene.shown:  # the model may have taken long to load
                until = until or time.monotonic() + PATIENCE
            if until and time.monotonic() > until:
                raise DemoError(f'the episodes took more than {PATIENCE} s:\n{tail(log)}')
        board.show(scene.shown, session.recorder)
        # The reset node has yet to hear that the last reset is done, and to write it down.
        for _ in range(40):
            session.listen(0.05)
            if len(_outcomes(folder)) == len(tasks):
                break


def _start_reward_node(model: str, children: Children, log: IO[str]) -> Any:
    return children.start_node(
        'reward.node',
        log,
        namespace=NAMESPACE,
        remappings={'image': TOPIC_CAMERA},
        parameters={
            'autostart': True,
            'model': model or str(FOLDER),
            **SETTINGS,
            'fps': FPS,
            'diagnostics_period': 0.2,
        },
        # The small model has no work for more than one, and they would wait for each other.
        environ={} if model else {'OMP_NUM_THREADS': '1'},
    )


def _start_reset_node(tasks: Sequence[str], folder: Path, children: Children, log: IO[str]) -> Any:
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
