# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Arguments of the `topreward` command, from text to values."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

import yaml

from topreward_ros.errors import TopRewardError

if TYPE_CHECKING:
    from topreward_ros.scoring.loading.options import LoadOptions

CLIP_HELP = 'video file or image folder; else an episode of the small world'
SEED_LIMIT = 1000  # far from the seeds that the demo's model was trained on
DEMO_MODEL_NOTE = (
    'This is the small model that comes with the package. It knows its own small world, that of '
    'topreward demo, and nothing else: of any other picture its numbers mean nothing. Give a model '
    'with --model.'
)


def setting(text: str) -> tuple[str, str]:
    """A parameter of the reward node, NAME=VALUE."""
    from topreward_ros.nodes.reward.settings import DESCRIPTIONS, RewardSettings

    name, equals, value = text.partition('=')
    if not equals or name not in DESCRIPTIONS:
        raise argparse.ArgumentTypeError(
            f'{text!r} is not name=value; expected one of {", ".join(DESCRIPTIONS)}'
        )
    if isinstance(getattr(RewardSettings, name), str):
        return name, value
    try:
        if not isinstance(yaml.safe_load(value), str | float | int | bool):
            raise argparse.ArgumentTypeError(f'{value!r} is no single value')
    except yaml.YAMLError as error:
        raise argparse.ArgumentTypeError(f'{value!r} cannot be read: {error}') from error
    return name, value


def typed(text: str, default: Any) -> Any:
    """The value of a setting of this default's type: 4 or 4e1 will do where 4.0 is meant, and a
    text is taken as it is.

    Raises TopRewardError for what is no number where one is meant.
    """
    if isinstance(default, str):
        return text
    if not isinstance(default, float):
        return yaml.safe_load(text)
    try:
        return float(text)
    except ValueError as error:
        raise TopRewardError(f'--set: {text!r} is not a number') from error


def positive(text: str) -> float:
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f'{text} is not above 0')
    return value


def whole(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f'{text} is below 1')
    return value


def pixels(text: str) -> int:
    value = int(text)
    if value < 1024:
        raise argparse.ArgumentTypeError(f'{text} pixels are too few; expected 1024 or more')
    return value


def size(text: str) -> tuple[int, int]:
    """Width and height [px]."""
    width, times, height = text.partition('x')
    if not (times and width.isdigit() and height.isdigit()):
        raise argparse.ArgumentTypeError(f'{text!r} is no size; expected such as 640x480')
    if min(int(width), int(height)) < 16:
        raise argparse.ArgumentTypeError(f'{text} is too small; expected at least 16x16')
    return int(width), int(height)


def seed(text: str) -> int:
    if not (text.isdigit() and int(text) < SEED_LIMIT):
        raise argparse.ArgumentTypeError(f'{text!r} is not a number from 0 to 999')
    return int(text)


def add_setting(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument(
        '--set', metavar='NAME=VALUE', type=setting, action='append', default=[], help=what
    )


def add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--model', help='folder of a model, or its id on the Hugging Face hub')


def add_node_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what commands that start the reward node have in common."""
    add_model(parser)
    add_setting(parser, 'a parameter of the node, such as fps=4; repeatable')
    add_transport(parser)


def add_transport(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--image-transport', choices=('raw', 'compressed'), help='default: raw')


def add_remap(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--remap',
        metavar='FROM:=TO',
        action='append',
        default=[],
        help='another name for a topic; repeatable',
    )


def remapping(*rules: str) -> list[str]:
    """The arguments of a node for rules FROM:=TO."""
    return [part for rule in rules for part in ('-r', rule)]


def model_of(options: argparse.Namespace) -> str:
    """The model that was named, else the demo's."""
    from topreward_ros.demo.model import FOLDER

    return options.model or str(FOLDER)


def note_of(options: argparse.Namespace) -> str:
    """What a user of the demo's model should know; empty for another model."""
    return '' if options.model else DEMO_MODEL_NOTE


def load_options_of(options: argparse.Namespace) -> LoadOptions:
    """How to load the model; TopRewardError for options that do not go together."""
    from topreward_ros.scoring.frames import DEFAULT_MAX_PIXELS
    from topreward_ros.scoring.loading.options import LoadOptions

    try:
        return LoadOptions(
            model_of(options),
            device=options.device,
            dtype=options.dtype,
            quantization=options.quantization,
            adapter=options.adapter,
            max_pixels=options.max_pixels or DEFAULT_MAX_PIXELS,
        )
    except ValueError as error:
        raise TopRewardError(str(error)) from error
