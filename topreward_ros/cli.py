# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The `topreward` command: the same things as with ros2, where there is no ros2."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import yaml

from . import __version__
from .demo.scene import KINDS
from .scoring.errors import TopRewardError

DEMO_MODEL_NOTE = (
    'The small model that comes with the package knows its own small world and nothing else: here '
    'its numbers mean nothing. Give a model with --model.'
)
NO_ROS = "ROS 2 is not there ({}): source an installation, or pip install 'topreward_ros[kilted]'"


def main(arguments: list[str] | None = None) -> int:
    """Run a command; 0, or 1 with the reason on the error stream."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.command(options))
    except TopRewardError as error:
        print(f'topreward: {error}', file=sys.stderr)
    except ModuleNotFoundError as error:
        if (error.name or '').split('.')[0] not in ('rclpy', 'rcl_interfaces', 'topreward_ros'):
            raise
        print(f'topreward: {NO_ROS.format(error)}', file=sys.stderr)
    except KeyboardInterrupt:
        pass
    return 1


def run(options: argparse.Namespace) -> int:
    """The reward node, configured and activated; several in one process for several cameras."""
    from rclpy.parameter import Parameter

    from .nodes.middleware import image_topic
    from .nodes.reward_node import main as run_node

    # Only what was asked for: the rest is as the file of parameters says.
    settings: dict[str, Any] = {'autostart': True}
    for name in ('task', 'model', 'image_transport', 'use_sim_time'):
        if (value := getattr(options, name)) is not None:
            settings[name] = value
    settings |= {name: _value(name, text) for name, text in options.set}
    file = ['--params-file', str(options.params_file)] if options.params_file else []
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


def score(options: argparse.Namespace) -> int:
    """Recordings to tables and pictures; needs no ROS."""
    from .demo.model import FOLDER
    from .offline.clip_scores import Plan
    from .offline.score_files import ScoreOptions, score_files
    from .scoring.factory import load_scorer

    try:
        plan = Plan(options.fps, None if options.dense else options.anchors, options.max_frames)
        plan.window()
    except ValueError as error:
        raise TopRewardError(str(error)) from error
    model = options.model or str(FOLDER)
    note = '' if options.model else DEMO_MODEL_NOTE
    wanted = ScoreOptions(tuple(options.source), options.task, model, options.save, plan, note)
    wanted.folders()  # refused before the model is loaded
    scorer, checkpoint = load_scorer(model)
    print(checkpoint.summary())
    score_files(scorer, wanted)
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
    if options.save:
        from .demo.drawing import film
        from .offline.film import write_image_bag, write_video

        if options.save.exists():
            raise TopRewardError(f'{options.save} is there already: choose another name')
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


def _remapping(*rules: str) -> list[str]:
    return [part for rule in rules for part in ('-r', rule)]


def _value(name: str, text: str) -> Any:
    """The value of a node's parameter; 4 will do where 4.0 is meant."""
    from .nodes.settings import Settings

    value = yaml.safe_load(text)
    is_float = isinstance(getattr(Settings, name, None), float)
    return float(value) if is_float and type(value) is int else value


def _setting(text: str) -> tuple[str, str]:
    from .nodes.settings import DESCRIPTIONS

    name, equals, value = text.partition('=')
    if not equals or name not in DESCRIPTIONS:
        raise argparse.ArgumentTypeError(
            f'{text!r} is not name=value; expected one of {", ".join(DESCRIPTIONS)}'
        )
    try:
        if not isinstance(yaml.safe_load(value), str | float | int | bool):
            raise argparse.ArgumentTypeError(f'{value!r} is no single value')
    except yaml.YAMLError as error:
        raise argparse.ArgumentTypeError(f'{value!r} cannot be read: {error}') from error
    return name, value


def _positive(text: str) -> float:
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f'{text} is not above 0')
    return value


def _whole(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f'{text} is below 1')
    return value


def _size(text: str) -> tuple[int, int]:
    width, times, height = text.partition('x')
    if not (times and width.isdigit() and height.isdigit()):
        raise argparse.ArgumentTypeError(f'{text!r} is no size; expected such as 640x480')
    if min(int(width), int(height)) < 16:
        raise argparse.ArgumentTypeError(f'{text} is too small; expected at least 16x16')
    return int(width), int(height)


def _seed(text: str) -> int:
    # Far from those that the demo's model was trained on
    if not (text.isdigit() and int(text) < 1000):
        raise argparse.ArgumentTypeError(f'{text!r} is not a number from 0 to 999')
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='topreward', description='How far has the robot come, says a vision-language model.'
    )
    parser.add_argument('--version', action='version', version=__version__)
    commands = parser.add_subparsers(required=True, metavar='COMMAND')

    show = commands.add_parser('demo', help='see it work: a small world, a small model, no camera')
    show.add_argument('--seed', type=_seed, default=0, help='of the episodes, 0 to 999')
    show.add_argument('--headless', action='store_true', help='a line per episode, no bars')
    show.add_argument('--save', type=Path, help='folder for bag, CSV, video and picture')
    show.add_argument('--model', help='another checkpoint than the small one that comes with it')
    show.add_argument('--tasks', action='store_true', help='list the tasks that the model knows')
    show.set_defaults(command=demo)

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
    node.add_argument('--log-level', default='info', help='debug, info, warn, error or fatal')
    _add_remap(node)
    _add_node_arguments(node)
    node.set_defaults(command=run)

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
    world.add_argument('--seed', type=_seed, default=0, help='of the first episode, 0 to 999')
    world.add_argument('--fps', type=_positive, default=15.0, help='default: %(default)s')
    world.add_argument('--size', type=_size, default=(480, 480), help='default: 480x480')
    world.add_argument('--topic', default='/camera/image_raw', help='default: %(default)s')
    world.add_argument('--task-topic', default='/topreward/task', help='default: %(default)s')
    world.add_argument(
        '--save', type=Path, help='one episode as NAME.mp4, or a bag of another name'
    )
    world.set_defaults(command=scene)

    player = commands.add_parser('play', help='play a clip through the node: bag, CSV and picture')
    player.add_argument(
        'clip', nargs='?', help='video file or image folder; else an episode of the small world'
    )
    player.add_argument('--task', help='what the robot does in the clip, in words')
    player.add_argument('--rate', type=_positive, default=1.0, help='how fast; 1 is real time')
    player.add_argument('--save', type=Path, help='folder for what is written')
    player.add_argument(
        '--record-images', action='store_true', help='keep the images in the bag too'
    )
    _add_node_arguments(player)
    player.set_defaults(command=play)
    _add_score(commands)
    return parser


def _add_score(commands: Any) -> None:
    scores = commands.add_parser('score', help='score recordings: CSV and picture, without ROS')
    scores.add_argument('source', nargs='+', help='video files or image folders')
    scores.add_argument('--task', required=True, help='what the robot does in them, in words')
    scores.add_argument('--model', help='folder of a model, or its id on the Hugging Face hub')
    scores.add_argument('--save', type=Path, default=Path('topreward_scores'), help='folder')
    scores.add_argument('--fps', type=_positive, default=2.0, help='frames kept a second')
    scores.add_argument('--anchors', type=_whole, default=15, help='prefixes scored, evenly spaced')
    scores.add_argument('--dense', action='store_true', help='score every prefix')
    scores.add_argument(
        '--max-frames', type=_whole, default=64, help='then every second pair is dropped'
    )
    scores.set_defaults(command=score)


def _add_node_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--model', help='folder of a model, or its id on the Hugging Face hub')
    parser.add_argument(
        '--set',
        metavar='NAME=VALUE',
        type=_setting,
        action='append',
        default=[],
        help='a parameter of the node, such as fps=4; again for more',
    )
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
