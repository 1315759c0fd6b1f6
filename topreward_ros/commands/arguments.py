# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Arguments shared by the `topreward` subcommands, and their types."""

from __future__ import annotations

import argparse
import contextlib
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import yaml

from topreward_ros.errors import ArgumentsError, TaskError
from topreward_ros.scoring.loading.options import REWARD_MODELS

if TYPE_CHECKING:
    from topreward_ros.scoring.loading.options import LoadOptions

CLIP_HELP = (
    'video file or folder of images; default: an example episode of the small simulated world'
)
DEMO_MODEL = (
    'the small model of the package, which only works in the simulated world of topreward demo'
)
SEED_LIMIT = 1000  # below the seeds that the demo's model was trained on
DEMO_MODEL_NOTE = (
    'No --model was given, so the small model of the package is used. It only works in the '
    'simulated world of topreward demo: for any other images its numbers mean nothing. Choose a '
    'model with --model.'
)
KINDS = {
    bool: 'true or false',
    int: 'a whole number',
    float: 'a number',
    tuple: 'a list of numbers such as [0.3, 0.8]',
}
N = TypeVar('N', int, float)


def setting(text: str) -> tuple[str, str]:
    """Parse a parameter of the reward node, NAME=VALUE."""
    from topreward_ros.nodes.reward.settings import DESCRIPTIONS, RewardSettings

    name, equals, value = text.partition('=')
    if not equals:
        raise argparse.ArgumentTypeError(f'{text!r} is not name=value')
    if name not in DESCRIPTIONS:
        raise argparse.ArgumentTypeError(
            f'{name!r} is no parameter; expected one of {", ".join(DESCRIPTIONS)}'
        )
    if isinstance(getattr(RewardSettings, name), str):
        return name, value
    try:
        if not isinstance(yaml.safe_load(value), str | float | int | bool):
            raise argparse.ArgumentTypeError(f'{value!r} is not a number, a text or a boolean')
    except yaml.YAMLError as error:
        raise argparse.ArgumentTypeError(f'{value!r} cannot be read: {error}') from error
    return name, value


def typed(name: str, text: str, default: Any) -> Any:
    """Return a setting's value in the type of its default: 4 or 4e1 are valid for a float.

    A string stays as it is, and without a default the value is as in YAML. Raises ArgumentsError
    for another type.
    """
    if isinstance(default, str):
        return text
    if isinstance(default, float):
        with contextlib.suppress(ValueError):
            return float(text)
    elif isinstance(default, tuple):
        with contextlib.suppress(yaml.YAMLError, TypeError, ValueError):
            return tuple(float(item) for item in _listed(yaml.safe_load(text)))
    else:
        value = yaml.safe_load(text)
        if default is None or type(value) is type(default):
            return value
    raise ArgumentsError(f'--set {name}: {text!r} is not {KINDS[type(default)]}')


def _listed(value: Any) -> list[Any]:
    """Return a list; TypeError for anything else."""
    if isinstance(value, list):
        return value
    raise TypeError(value)


def check_settings(values: Mapping[str, Any]) -> None:
    """Raise ArgumentsError for parameters that the reward node would refuse."""
    from topreward_ros.nodes.reward.settings import RewardSettings

    try:
        RewardSettings(**values)
    except (ValueError, TypeError) as error:
        raise ArgumentsError(str(error)) from error


def check_task_argument(task: str | None) -> None:
    """Raise ArgumentsError for the text of --task that no model can be asked about."""
    from topreward_ros.scoring.questions import check_task

    try:
        check_task(task or 'none')
    except TaskError as error:
        raise ArgumentsError(f'--task: {error}') from error


def positive(text: str) -> float:
    value = _number(text, float)
    if not value > 0:
        raise argparse.ArgumentTypeError(f'{text} is not above 0')
    if value == math.inf:
        raise argparse.ArgumentTypeError(f'{text} is not finite')
    return value


def whole(text: str) -> int:
    value = _number(text, int)
    if value < 1:
        raise argparse.ArgumentTypeError(f'{text} is below 1')
    return value


def share(text: str) -> float:
    value = _number(text, float)
    if not 0.001 <= value <= 0.999:
        raise argparse.ArgumentTypeError(f'{text} is not a share; expected 0.001 to 0.999')
    return value


def pixels(text: str) -> int:
    value = _number(text, int)
    if value < 1024:
        raise argparse.ArgumentTypeError(f'{text} pixels are too few; expected 1024 or more')
    return value


def size(text: str) -> tuple[int, int]:
    """Parse width and height [px], such as 640x480."""
    width, times, height = text.partition('x')
    if not (times and width.isdigit() and height.isdigit()):
        raise argparse.ArgumentTypeError(f'{text!r} is not a size; expected such as 640x480')
    if min(int(width), int(height)) < 16:
        raise argparse.ArgumentTypeError(f'{text} is too small; expected at least 16x16')
    return int(width), int(height)


def seed(text: str) -> int:
    if not (text.isdigit() and int(text) < SEED_LIMIT):
        raise argparse.ArgumentTypeError(f'{text!r} is not a whole number from 0 to 999')
    return int(text)


def _number(text: str, kind: type[N]) -> N:
    try:
        return kind(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f'{text!r} is not {KINDS[kind]}') from error


def add_setting(parser: argparse.ArgumentParser, help_text: str) -> None:
    parser.add_argument(
        '--set', metavar='NAME=VALUE', type=setting, action='append', default=[], help=help_text
    )


def add_model(parser: argparse.ArgumentParser, default: str = DEMO_MODEL) -> None:
    """Add --model and --reward-model; default says which model is used without them."""
    parser.add_argument(
        '--model',
        help=f'folder of a model, or its id on the Hugging Face hub; default: {default}',
    )
    parser.add_argument(
        '--reward-model',
        choices=('auto', *REWARD_MODELS),
        help='reward model by which it scores; default: auto, as the checkpoint was trained, or '
        'topreward for a general one',
    )


def add_node_arguments(parser: argparse.ArgumentParser, default_model: str = DEMO_MODEL) -> None:
    """Add the arguments of commands that start the reward node."""
    add_model(parser, default_model)
    add_setting(parser, 'set a parameter of the reward node, such as fps=4; repeatable')
    add_transport(parser)


def add_transport(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--image-transport',
        choices=('raw', 'compressed'),
        help='publish or read sensor_msgs/Image (raw) or CompressedImage; default: raw',
    )


def add_remap(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--remap',
        metavar='FROM:=TO',
        action='append',
        default=[],
        help='remap a topic or service of the node; repeatable',
    )


def remapping(*rules: str) -> list[str]:
    """Return the node arguments for rules FROM:=TO."""
    return [part for rule in rules for part in ('-r', rule)]


def model_of(options: argparse.Namespace) -> str:
    """Return the model of --model, else the demo's for --reward-model."""
    from topreward_ros.demo.model import folder_for

    return options.model or str(folder_for(options.reward_model))


def note_of(options: argparse.Namespace) -> str:
    """Return the note about the demo's model; empty for another model."""
    return '' if options.model else DEMO_MODEL_NOTE


def load_options_of(options: argparse.Namespace) -> LoadOptions:
    """Return how to load the model; raises ArgumentsError for conflicting options."""
    from topreward_ros.scoring.frame_fits import DEFAULT_MAX_PIXELS
    from topreward_ros.scoring.loading.options import LoadOptions

    try:
        return LoadOptions(
            model_of(options),
            device=options.device,
            dtype=options.dtype,
            reward_model=options.reward_model or LoadOptions.reward_model,
            quantization=options.quantization,
            adapter=options.adapter,
            frame_fit=options.frame_fit or LoadOptions.frame_fit,
            max_pixels=options.max_pixels or DEFAULT_MAX_PIXELS,
        )
    except ValueError as error:
        raise ArgumentsError(str(error)) from error
