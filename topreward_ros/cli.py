# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The `topreward` command: the same things as with ros2, where there is no ros2."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from . import __version__
from .cli_arguments import (
    DEMO_MODEL_NOTE,
    add_model,
    add_setting,
    positive,
    seed,
    size,
    typed,
    whole,
)
from .cli_files import add_files
from .demo.scene import KINDS
from .scoring.errors import TopRewardError

SEED_STRIDE = 100  # between the seeds of two sets of episodes
# Parameters of the node that play gives it, and how to choose them
PLAYS_OWN = {
    'autostart': 'the node is started in any case',
    'image_transport': 'use --image-transport',
    'model': 'use --model',
    'task': 'use --task',
}
NO_ROS = "ROS 2 is not there ({}): source an installation, or pip install 'topreward_ros[kilted]'"


def main(arguments: list[str] | None = None) -> int:
    """Run a command; 0, or the error's exit code with the reason on the error stream."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.command(options))
    except TopRewardError as error:
        print(f'topreward: {error}', file=sys.stderr)
        return error.exit_code
    except ModuleNotFoundError as error:
        if (error.name or '').split('.')[0] not in ('rclpy', 'rcl_interfaces', 'topreward_ros'):
            raise
        print(f'topreward: {NO_ROS.format(error)}', file=sys.stderr)
    except OSError as error:  # a full disk, a place that cannot be written to
        print(f'topreward: {error}', file=sys.stderr)
    except KeyboardInterrupt:
        pass
    return 1


def run(options: argparse.Namespace) -> int:
    """The reward node, configured and activated; several in one process for several cameras."""
    from rclpy.parameter import Parameter

    from .nodes.middleware import image_topic
    from .nodes.reward_node import main as run_node
    from .nodes.settings import Settings

    # Only what was asked for: the rest is as the file of parameters says.
    settings: dict[str, Any] = {'autostart': True}
    for name in ('task', 'model', 'image_transport', 'use_sim_time'):
        if (value := getattr(options, name)) is not None:
            settings[name] = value
    settings |= {name: typed(text, getattr(Settings, name, None)) for name, text in options.set}
    file = ['--params-file', str(options.params_file)] if options.params_file else []
    if file and len(options.camera) > 1:
        _check_names(options.params_file)
    nodes = []
    for number, topic in enumerate(options.camera, start=1):
        camera = image_topic(topic, settings.get('image_transport', 'raw'))
        rules = [f'image:={camera}', *options.remap]
        if len(options.camera) > 1:
            rules.append(f'__node:=topreward_{number}')
        nodes.append(
            {
                'cli_args': ['--ros-args', *_remapping(*rules), *file],
                'namespace': options.namespace,
                'parameter_overrides': [Parameter(n, value=v) for n, v in settings.items()],
            }
        )
    return run_node(['--ros-args', '--log-level', options.log_level], *nodes[1:], **nodes[0])


def publish(options: argparse.Namespace) -> int:
    """A clip as a camera."""
    from rclpy.parameter import Parameter

    from .nodes.video_publisher import main as run_node

    settings = {
        'source': options.clip or '',
        'fps': options.fps,
        'speed': options.speed,
        'loop': options.loop,
        'image_transport': options.image_transport or 'raw',
        'publish_clock': options.clock,
        'wait_for_subscribers': options.wait,
    }
    topic = options.topic
    names = (f'image_raw:={topic}', f'image_raw/compressed:={topic}/compressed')
    return run_node(
        args=[],
        cli_args=['--ros-args', *_remapping(*names, *options.remap)],
        parameter_overrides=[Parameter(name, value=value) for name, value in settings.items()],
    )


def play(options: argparse.Namespace) -> int:
    """A clip through the real node; bag, table and picture."""
    from .demo.example import TASK
    from .demo.model import FOLDER, SETTINGS

    task = options.task or (None if options.clip else TASK)
    if task is None:
        raise TopRewardError('a clip needs its task in words: --task "Put the block into the cup."')
    settings = list(options.set)
    for name, instead in PLAYS_OWN.items():
        if name in dict(settings):
            raise TopRewardError(f'play sets {name} itself: {instead}')
    if not options.model:
        asked = {name for name, _ in settings}
        settings += [(name, str(v)) for name, v in SETTINGS.items() if name not in asked]
    from .nodes.play import PlayOptions
    from .nodes.play import play as play_clip

    play_clip(
        PlayOptions(
            clip=options.clip,
            task=task,
            model=options.model or str(FOLDER),
            save=options.save,
            rate=options.rate,
            note=DEMO_MODEL_NOTE if options.clip and not options.model else '',
            image_transport=options.image_transport or 'raw',
            record_images=options.record_images,
            settings=tuple('='.join(setting) for setting in settings),
        )
    )
    return 0


def demo(options: argparse.Namespace) -> int:
    """Episodes of a small world through the real nodes."""
    from .demo.tasks import known_tasks

    if options.tasks:
        print('\n'.join(task.say() for task in known_tasks()))
        return 0
    from .nodes.demo import DemoOptions
    from .nodes.demo import demo as show

    show(DemoOptions(options.seed, options.save, options.model or '', options.headless))
    return 0


def scene(options: argparse.Namespace) -> int:
    """An episode of the small world as a file, or the small world as a camera."""
    from .demo.scene import KIND_NAMES, Episode

    width, height = options.size
    if options.episodes and not options.save:
        raise TopRewardError('episodes are written into a folder: name it with --save')
    if options.save:
        from .demo.drawing import film
        from .offline.film import write_image_bag, write_video

        if options.save.exists():
            raise TopRewardError(f'{options.save} is there already: choose another name')
        if options.episodes:
            if options.episodes > SEED_STRIDE:
                raise TopRewardError(f'at most {SEED_STRIDE} episodes have a seed of their own')
            from .offline.demo_recordings import write_recordings

            kinds = (options.kind,) if options.kind else KINDS
            first = SEED_STRIDE * options.seed
            seeds = range(first, first + options.episodes)
            write_recordings(options.save, seeds, kinds, options.fps, options.size)
            print(f'{options.save}: {options.episodes} episodes, and curves.json with their truth')
            return 0
        options.save.parent.mkdir(parents=True, exist_ok=True)
        episode = Episode(options.seed, options.kind or 'success')
        frames = film(episode, options.fps, height, width)
        task = episode.task.say()
        if options.save.suffix == '.mp4':
            count = write_video(options.save, frames, options.fps)
        else:
            count = write_image_bag(options.save, frames, options.fps, task)
        print(f'{options.save}: {count} frames of "{task}" ({KIND_NAMES[episode.kind]})')
        return 0
    from rclpy.parameter import Parameter

    from .nodes.scene_camera import main as run_node

    settings = {
        'fps': options.fps,
        'width': width,
        'height': height,
        'seed': options.seed,
        **({'kinds': [options.kind]} if options.kind else {}),
    }
    names = (f'image_raw:={options.topic}', f'task:={options.task_topic}')
    return run_node(
        args=[],
        cli_args=['--ros-args', *_remapping(*names)],
        parameter_overrides=[Parameter(name, value=value) for name, value in settings.items()],
    )


def _check_names(params_file: Path) -> None:
    """TopRewardError for parameters that none of several nodes would take."""
    import yaml

    try:
        names = list(yaml.safe_load(params_file.read_text(encoding='utf-8')))
    except (OSError, yaml.YAMLError, TypeError) as error:
        raise TopRewardError(f'{params_file} cannot be read: {error}') from error
    if {'topreward', '/topreward'} & set(names):
        raise TopRewardError(
            f'{params_file} has parameters for the node topreward; several cameras have nodes '
            'topreward_1, topreward_2, ...: write /** in its place'
        )


def _remapping(*rules: str) -> list[str]:
    return [part for rule in rules for part in ('-r', rule)]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='topreward', description='How far has the robot come, says a vision-language model.'
    )
    parser.add_argument('--version', action='version', version=__version__)
    commands = parser.add_subparsers(required=True, metavar='COMMAND')

    show = commands.add_parser('demo', help='see it work: a small world, a small model, no camera')
    show.add_argument('--seed', type=seed, default=0, help='of the episodes, 0 to 999')
    show.add_argument('--headless', action='store_true', help='a line per episode, no bars')
    show.add_argument('--save', type=Path, help='folder for bag, CSV, video and picture')
    show.add_argument('--model', help='another checkpoint than the small one that comes with it')
    show.add_argument('--tasks', action='store_true', help='list the tasks that the model knows')
    show.set_defaults(command=demo)

    _add_run(commands)

    camera = commands.add_parser('publish', help='play a clip as a camera topic')
    camera.add_argument(
        'clip', nargs='?', help='video file or image folder; else an episode of the small world'
    )
    camera.add_argument('--topic', default='/camera/image_raw', help='default: %(default)s')
    camera.add_argument('--fps', type=float, default=0.0, help='images per second; 0: the own')
    camera.add_argument(
        '--speed', type=float, default=1.0, help='1: real time, 0: as fast as possible'
    )
    camera.add_argument('--loop', action='store_true', help='begin again at the end')
    camera.add_argument('--clock', action='store_true', help='publish /clock in clip time')
    camera.add_argument('--wait', type=int, default=0, help='begin with this many subscribers')
    _add_remap(camera)
    _add_transport(camera)
    camera.set_defaults(command=publish)

    world = commands.add_parser('scene', help='the small world of the demo as a camera or a file')
    world.add_argument('--kind', choices=KINDS, help='of its episodes; else all in turn')
    world.add_argument('--seed', type=seed, default=0, help='of the first episode, 0 to 999')
    world.add_argument('--fps', type=positive, default=15.0, help='default: %(default)s')
    world.add_argument('--size', type=size, default=(480, 480), help='default: 480x480')
    world.add_argument('--topic', default='/camera/image_raw', help='default: %(default)s')
    world.add_argument('--task-topic', default='/topreward/task', help='default: %(default)s')
    world.add_argument(
        '--save', type=Path, help='one episode as NAME.mp4, or a bag of another name'
    )
    world.add_argument(
        '--episodes', type=whole, help='so many of them, below --save, with what is true of each'
    )
    world.set_defaults(command=scene)

    player = commands.add_parser('play', help='play a clip through the node: bag, CSV and picture')
    player.add_argument(
        'clip', nargs='?', help='video file or image folder; else an episode of the small world'
    )
    player.add_argument('--task', help='what the robot does in the clip, in words')
    player.add_argument('--rate', type=positive, default=1.0, help='how fast; 1 is real time')
    player.add_argument('--save', type=Path, help='folder for what is written')
    player.add_argument(
        '--record-images', action='store_true', help='keep the images in the bag too'
    )
    _add_node_arguments(player)
    player.set_defaults(command=play)
    add_files(commands)
    return parser


def _add_run(commands: Any) -> None:
    node = commands.add_parser('run', help='score a camera topic live')
    node.add_argument(
        '--camera',
        required=True,
        action='append',
        help='image topic; given several times, nodes topreward_1, ... share one model',
    )
    node.add_argument('--task', help='what the robot shall do, in words; or publish it on ~/task')
    node.add_argument('--namespace', default='', help='of the node and its topics')
    node.add_argument('--params-file', type=Path, help='YAML of parameters')
    node.add_argument('--use-sim-time', action='store_true', default=None, help='follow /clock')
    levels = ('debug', 'info', 'warn', 'error', 'fatal')
    node.add_argument('--log-level', default='info', choices=levels, help='default: %(default)s')
    _add_remap(node)
    _add_node_arguments(node)
    node.set_defaults(command=run)


def _add_node_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    add_setting(parser, 'a parameter of the node, such as fps=4; again for more')
    _add_transport(parser)


def _add_transport(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--image-transport', choices=('raw', 'compressed'), help='default: raw')


def _add_remap(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--remap',
        metavar='FROM:=TO',
        action='append',
        default=[],
        help='another name for a topic; again for more',
    )


if __name__ == '__main__':
    sys.exit(main())
