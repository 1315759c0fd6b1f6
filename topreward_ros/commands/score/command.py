# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`topreward score`: its arguments."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from topreward_ros.errors import ArgumentsError
from topreward_ros.results.outputs import OUTPUTS, OutputKind
from topreward_ros.scoring.frame_fits import PUBLISHED_LOADING
from topreward_ros.scoring.sampling import ANCHORS, Sampling

from ..arguments import add_setting, load_options_of, note_of, typed, whole
from ..recording_arguments import (
    add_history,
    add_recording_arguments,
    load,
    plan_of,
    source_options_of,
)

if TYPE_CHECKING:
    from topreward_ros.results.output import Reading


def add_parser(commands: Any) -> None:
    """Add the command to the parser's."""
    parser = commands.add_parser(
        'score', help='score recordings, and write CSV, plots, bags, videos and parquet'
    )
    add_recording_arguments(parser, 'topreward_scores')
    add_history(parser)
    _add_prefixes(parser)
    for name, kind in OUTPUTS.items():
        _add_output(parser, name, kind)
    parser.add_argument(
        '--calibration',
        type=Path,
        help='calibration.yaml of `topreward calibrate`, for progress and success with --bag',
    )
    add_setting(
        parser,
        'set a reward parameter of the node, such as normalization=fixed, for --bag; repeatable',
    )
    parser.add_argument(
        '--ray',
        nargs='?',
        const='',
        metavar='ADDRESS',
        help='score episodes in parallel with Ray Data, on the cluster at ADDRESS or this machine',
    )
    parser.add_argument(
        '--workers',
        type=whole,
        help='Ray actors, each with its own model; default: one per GPU, else per two cores',
    )
    parser.set_defaults(command=score)


def _add_prefixes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--anchors',
        type=whole,
        default=ANCHORS,
        help='scored prefixes of each recording, evenly spaced; default: %(default)s',
    )
    parser.add_argument(
        '--dense', action='store_true', help='score every prefix that the node would score instead'
    )
    parser.add_argument(
        '--as',
        dest='published',
        choices=PUBLISHED_LOADING,
        help="take frames and prefixes as the authors' code or LeRobot does, to compare with their "
        'results number by number; --fps is theirs',
    )


def _add_output(parser: argparse.ArgumentParser, name: str, kind: OutputKind) -> None:
    if kind.takes_path:
        parser.add_argument(f'--{name}', nargs='?', const='', metavar='PATH', help=kind.help)
    else:
        parser.add_argument(f'--{name}', action='store_const', const='', help=kind.help)


def score(options: argparse.Namespace) -> int:
    """Score recordings, and write tables, plots and the selected outputs."""
    from .run import ScoreOptions, open_all, score_files

    paths = {name: path for name in OUTPUTS if (path := getattr(options, name)) is not None}
    outputs = tuple(paths)
    if 'bag' not in outputs and (options.calibration or options.set):
        raise ArgumentsError('--calibration and --set only apply to --bag: add --bag')
    _load_as_published(options)
    dense = options.dense or any(OUTPUTS[name].every_prefix for name in outputs)
    score_options = ScoreOptions(
        sources=tuple(options.source),
        save=options.save,
        plan=dataclasses.replace(
            plan_of(options, None if dense else options.anchors),
            to_the_end=not options.published and not dense,
            published=options.published or '',
        ),
        read=source_options_of(options, options.source),
        outputs=outputs,
        paths={name: Path(path).expanduser() for name, path in paths.items() if path},
        reading=reading_of(options),
        note=note_of(options),
    )
    load_options = load_options_of(options)
    if options.ray is not None:
        from .ray_scoring import RayOptions, score_with_ray

        ray_options = RayOptions(load_options, options.ray, options.workers or 0)
        score_with_ray(score_options.anywhere(), ray_options)
        return 0
    sources = open_all(score_options)  # before the model is loaded
    score_files(load(options), score_options, sources)
    return 0


def _load_as_published(options: argparse.Namespace) -> None:
    """Set how the model is loaded for --as; raises ArgumentsError for options that forbid it."""
    if not options.published:
        return
    given = {
        '--frame-fit': options.frame_fit,
        '--max-pixels': options.max_pixels,
        '--max-frames': options.max_frames != Sampling.max_frames,
        '--history': options.history != Sampling.history,
    }
    if options.bag is not None:
        raise ArgumentsError(
            f'--as {options.published} scores other prefixes than the node does, whose bag --bag '
            'writes: leave one of them out'
        )
    if names := [name for name, value in given.items() if value]:
        raise ArgumentsError(f'--as {options.published} sets {names[0]} itself: leave it out')
    for name, value in PUBLISHED_LOADING[options.published].items():
        setattr(options, name, value)


def reading_of(options: argparse.Namespace) -> Reading:
    """Return the options of rewards and events: of the demo's model if it is used, and --set."""
    from topreward_ros.demo.model import settings_for
    from topreward_ros.results.calibration_file import read_calibration
    from topreward_ros.results.output import Reading
    from topreward_ros.reward.events import EventOptions
    from topreward_ros.reward.live import RewardOptions

    of_events = dataclasses.asdict(EventOptions())
    defaults = {**dataclasses.asdict(RewardOptions()), **of_events}
    values: dict[str, Any] = {} if options.model else settings_for(options.reward_model)
    calibration = read_calibration(options.calibration) if options.calibration else None
    if calibration is not None:
        values['normalization'] = 'calibrated'
    for name, text in options.set:
        if name not in defaults:
            raise ArgumentsError(
                f'--set {name} has no effect on a recording; expected one of {", ".join(defaults)}'
            )
        values[name] = typed(name, text, defaults[name])
    events = {name: values.pop(name) for name in of_events if name in values}
    try:
        reading = Reading(RewardOptions(**values), calibration, EventOptions(**events))
        reading.start()
    except (ValueError, TypeError) as error:
        raise ArgumentsError(str(error)) from error
    return reading
