# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`topreward play`: its arguments."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from topreward_ros.errors import ArgumentsError

from ..arguments import (
    CLIP_HELP,
    add_node_arguments,
    check_settings,
    check_task_argument,
    model_of,
    note_of,
    positive,
    typed,
)

# Parameters of the node that `play` sets itself, and what to use instead
OWN_PARAMETERS = {
    'autostart': 'the node always starts automatically',
    'image_transport': 'use --image-transport',
    'model': 'use --model',
    'reward_model': 'use --reward-model',
    'task': 'use --task',
}


def add_parser(commands: Any) -> None:
    """Add the command to the parser's."""
    parser = commands.add_parser(
        'play', help='play a clip to the reward node, and write bag, CSV and plot'
    )
    parser.add_argument('clip', nargs='?', help=CLIP_HELP)
    parser.add_argument(
        '--task', help='what the robot does in the clip, in words; required with a clip'
    )
    parser.add_argument(
        '--rate',
        type=_rate,
        default=1.0,
        help='playback speed: 1 is real time, others use simulated time; auto is as fast as the '
        'node scores, without missing a frame that is due; default: %(default)s',
    )
    parser.add_argument(
        '--save', type=Path, help='output folder; default: topreward_CLIP_DATE in this folder'
    )
    parser.add_argument(
        '--record-images', action='store_true', help='record the images in the bag too'
    )
    add_node_arguments(parser)
    parser.set_defaults(command=play)


def _rate(text: str) -> float | None:
    return None if text == 'auto' else positive(text)


def play(options: argparse.Namespace) -> int:
    """Play the clip to the reward node."""
    from topreward_ros.demo.example import TASK
    from topreward_ros.demo.model import settings_for
    from topreward_ros.nodes.reward.settings import RewardSettings

    task = options.task or (None if options.clip else TASK)
    if task is None:
        raise ArgumentsError('a clip needs a task in words: --task "Put the block into the cup."')
    check_task_argument(task)
    settings: dict[str, Any] = {} if options.model else settings_for(options.reward_model)
    for name, text in options.set:
        if name in OWN_PARAMETERS:
            raise ArgumentsError(f'play sets {name} itself: {OWN_PARAMETERS[name]}')
        settings[name] = typed(name, text, getattr(RewardSettings, name))
    if options.reward_model:
        settings['reward_model'] = options.reward_model
    from .run import PlayOptions
    from .run import play as play_clip

    play_options = PlayOptions(
        clip=options.clip,
        task=task,
        model=model_of(options),
        save=options.save,
        rate=options.rate,
        note=note_of(options) if options.clip else '',
        image_transport=options.image_transport or 'raw',
        record_images=options.record_images,
        settings=settings,
    )
    check_settings(play_options.node_parameters)
    play_clip(play_options)
    return 0
