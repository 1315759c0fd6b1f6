# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`topreward label`: its arguments."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from topreward_ros.errors import ArgumentsError

from ..arguments import add_setting, check_task_argument, note_of
from ..recording_arguments import (
    add_history,
    add_loading_arguments,
    add_sampling_arguments,
    load,
    plan_of,
)

if TYPE_CHECKING:
    from topreward_ros.results.frame_labels import RewardRule

    from .run import LabelOptions

STEPS = ('gained', 'shaped', 'dense', 'none')
NOT_CALIBRATED = (
    'No --calibration was given, so success is judged by the default threshold, which fits no '
    'model in particular: review the labels, or calibrate first'
)


def add_parser(commands: Any) -> None:
    """Add the command to the parser's."""
    parser = commands.add_parser(
        'label',
        help='copy a LeRobot dataset with success, progress, rewards and returns, and write a page '
        'to review them',
    )
    parser.add_argument('dataset', metavar='DATASET', help='folder of a LeRobot dataset, v3.0')
    parser.add_argument(
        'out', metavar='OUT', nargs='?', type=Path, help='the copy; default: DATASET_labelled, here'
    )
    parser.add_argument(
        '--task', help="what the robot does, in words; default: the dataset's own task"
    )
    parser.add_argument('--camera', help='camera of the dataset; needed where it has several')
    add_loading_arguments(parser)
    parser.add_argument(
        '--save',
        type=Path,
        default=Path('topreward_labels'),
        help='folder of the scores, the page and the overrides; default: %(default)s',
    )
    add_sampling_arguments(parser)
    add_history(parser)
    parser.add_argument(
        '--calibration',
        type=Path,
        help='calibration.yaml of `topreward calibrate`, for progress and success',
    )
    add_setting(parser, 'set a reward parameter of the node, such as success_threshold=-4')
    _add_labels(parser)
    parser.set_defaults(command=label)


def _add_labels(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--reward',
        choices=STEPS,
        default='gained',
        help="next.reward of a step: the progress gained, as the node's; the same shaped as a "
        "potential; the paper's dense reward; or none; default: %(default)s",
    )
    parser.add_argument(
        '--success-reward',
        type=_number,
        default=1.0,
        help='what the step that succeeds gets on top; default: %(default)s',
    )
    parser.add_argument(
        '--discount',
        type=_number,
        default=0.99,
        help='of the returns, for each frame, 0 to 1; default: %(default)s',
    )
    parser.add_argument(
        '--overrides',
        type=Path,
        help='overrides.json of the review page; default: that in the folder of --save',
    )
    parser.add_argument(
        '--replace', action='store_true', help='replace columns that the dataset has already'
    )
    parser.add_argument(
        '--copy-videos',
        action='store_true',
        help='copy videos, instead of hard links to those of DATASET',
    )


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f'{text!r} is not a number') from error
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f'{text} is not finite')
    return value


def label(options: argparse.Namespace) -> int:
    """Score a dataset, write the labelled copy and the page."""
    from .run import label_dataset, prepare

    label_options = _options_of(options)
    prepared = prepare(label_options)  # before the model is loaded
    scorer = load(options)
    is_chosen = any(name == 'success_threshold' for name, _ in options.set)
    if options.model and not options.calibration and not is_chosen:
        print(NOT_CALIBRATED)
    label_dataset(scorer, label_options, prepared)
    return 0


def _options_of(options: argparse.Namespace) -> LabelOptions:
    from topreward_ros.recordings.source_options import SourceOptions

    from ..score.command import reading_of
    from ..score.run import ScoreOptions
    from .run import LabelOptions

    check_task_argument(options.task)
    plan = plan_of(options, None)
    try:
        plan.window()
    except ValueError as error:
        raise ArgumentsError(str(error)) from error
    folder = Path(options.dataset).expanduser()
    scoring = ScoreOptions(
        sources=(options.dataset,),
        save=options.save,
        plan=plan,
        read=SourceOptions(task=options.task or '', camera=options.camera, sampling=plan.sampling),
        reading=reading_of(options),
        note=note_of(options),
    )
    return LabelOptions(
        scoring=scoring,
        out=(options.out or Path(f'{folder.resolve().name}_labelled')).expanduser(),
        rule=_rule_of(options),
        overrides=options.overrides and options.overrides.expanduser(),
        replace=options.replace,
        link=not options.copy_videos,
    )


def _rule_of(options: argparse.Namespace) -> RewardRule:
    from topreward_ros.results.frame_labels import RewardRule

    try:
        return RewardRule(options.reward, options.success_reward, options.discount)
    except ValueError as error:
        raise ArgumentsError(str(error)) from error
