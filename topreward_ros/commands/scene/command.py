# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`topreward scene`: its arguments."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from topreward_ros.errors import ArgumentsError, TopRewardError

from ..arguments import positive, remapping, seed, size, whole

SEED_STRIDE = 100  # between the seeds of two sets of episodes


def add_parser(commands: Any) -> None:
    """Add the command to the parser's."""
    from topreward_ros.demo.tasks import KINDS

    parser = commands.add_parser(
        'scene', help="publish the demo's simulated world as a camera, or write it to files"
    )
    parser.add_argument(
        '--kind', choices=KINDS, help='kind of the episodes; default: all kinds in turn'
    )
    parser.add_argument(
        '--seed',
        type=seed,
        default=0,
        help='seed of the first episode, 0 to 999; default: %(default)s',
    )
    parser.add_argument(
        '--fps', type=positive, default=15.0, help='images per second; default: %(default)s'
    )
    parser.add_argument(
        '--size',
        type=size,
        default=(480, 480),
        metavar='WIDTHxHEIGHT',
        help='size of the images in pixels; default: 480x480',
    )
    parser.add_argument(
        '--topic', default='/camera/image_raw', help='image topic; default: %(default)s'
    )
    parser.add_argument(
        '--task-topic', default='/topreward/task', help='topic of the task; default: %(default)s'
    )
    parser.add_argument(
        '--save',
        type=Path,
        help='write one episode: a video if the name ends in .mp4, else a bag; with --episodes, '
        'the folder of all episodes',
    )
    parser.add_argument(
        '--episodes',
        type=whole,
        help='write this many episodes as videos, with curves.json of their tasks, success and '
        'true progress',
    )
    parser.set_defaults(command=scene)


def scene(options: argparse.Namespace) -> int:
    """Write episodes to files, or publish them as a camera until interrupted."""
    if options.episodes and not options.save:
        raise ArgumentsError('--episodes needs a folder to write to: set it with --save')
    if not options.save:
        return _publish(options)
    if options.save.exists():
        raise TopRewardError(f'{options.save} exists already: choose another name')
    if options.episodes:
        _write_episodes(options)
    else:
        _write_episode(options)
    return 0


def _write_episodes(options: argparse.Namespace) -> None:
    from topreward_ros.demo.tasks import KINDS

    from .recordings import write_recordings

    if options.episodes > SEED_STRIDE:
        raise ArgumentsError(f'--episodes is {options.episodes}; expected at most {SEED_STRIDE}')
    kinds = (options.kind,) if options.kind else KINDS
    first = SEED_STRIDE * options.seed
    seeds = range(first, first + options.episodes)
    write_recordings(options.save, seeds, kinds, options.fps, options.size)
    print(f'{options.save}: {options.episodes} episodes, and curves.json with their true progress')


def _write_episode(options: argparse.Namespace) -> None:
    from topreward_ros.demo.drawing import film
    from topreward_ros.demo.scene import SceneEpisode
    from topreward_ros.demo.tasks import KIND_NAMES
    from topreward_ros.results.video import write_image_bag, write_video

    options.save.parent.mkdir(parents=True, exist_ok=True)
    width, height = options.size
    episode = SceneEpisode(options.seed, options.kind or 'success')
    frames = film(episode, options.fps, height, width)
    task = episode.task.say()
    if options.save.suffix == '.mp4':
        count = write_video(options.save, frames, options.fps)
    else:
        count = write_image_bag(options.save, frames, options.fps, task)
    print(f'{options.save}: {count} frames of "{task}" ({KIND_NAMES[episode.kind]})')


def _publish(options: argparse.Namespace) -> int:
    from topreward_ros.nodes.cameras.scene_camera import run_node

    width, height = options.size
    settings: dict[str, Any] = {
        'fps': options.fps,
        'width': width,
        'height': height,
        'seed': options.seed,
        **({'kinds': [options.kind]} if options.kind else {}),
    }
    names = (f'image_raw:={options.topic}', f'task:={options.task_topic}')
    return run_node(
        [],
        settings,
        cli_args=['--ros-args', *remapping(*names)],
    )
