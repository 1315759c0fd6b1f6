# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`topreward calibrate`: its arguments."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from topreward_ros.errors import ArgumentsError
from topreward_ros.reward.success import HOLD, WINDOW

from ..arguments import whole
from ..recording_arguments import (
    add_recording_arguments,
    load,
    plan_of,
    print_notes,
    source_options_of,
)

if TYPE_CHECKING:
    from topreward_ros.recordings.recording import Recording


def add_parser(commands: Any) -> None:
    """Add the command to the parser's."""
    parser = commands.add_parser(
        'calibrate', help='make a calibration for the reward node from recordings of a task'
    )
    add_recording_arguments(parser, 'calibration.yaml')
    parser.add_argument(
        '--failed',
        nargs='+',
        default=[],
        metavar='SOURCE',
        help='sources of failed attempts; all other recordings are successes unless labelled',
    )
    parser.add_argument(
        '--window',
        type=whole,
        default=WINDOW,
        help='success is detected from the mean of this many scores; default: %(default)s',
    )
    parser.add_argument(
        '--hold',
        type=whole,
        default=HOLD,
        help='times in a row that this mean must reach the threshold; default: %(default)s',
    )
    parser.set_defaults(command=calibrate)


def calibrate(options: argparse.Namespace) -> int:
    """Score the demonstrations and write the calibration."""
    from rich.console import Console

    from topreward_ros.files import check_file
    from topreward_ros.results.calibration_file import write_calibration

    from ..score.episode import EpisodeScoring
    from .attempts import attempts_of
    from .make import describe, make_calibration

    check_file(options.save)
    plan = plan_of(options, None)
    recordings = _open_recordings(options)
    notes = print_notes(recordings)
    scorer = load(options)
    scores = options.save.with_suffix('.scores')
    attempts = attempts_of(
        scorer,
        recordings,
        EpisodeScoring(scorer.identity, plan),
        scores,
        console=Console(stderr=True, emoji=False),
        least=options.window + options.hold - 1,
    )
    print_notes(recordings, notes)
    calibration = make_calibration(
        [attempt for _, attempt in attempts],
        [recording.task for recording, _ in attempts],
        scorer.identity,
        options.fps,
        window=options.window,
        hold=options.hold,
    )
    write_calibration(options.save, calibration)
    print('\n'.join(describe(calibration)))
    print(
        f'{options.save}: made from {calibration.successes} successes and {calibration.failures} '
        f'failures (scores in {scores}). Parameters for the node: '
        f'calibration: {options.save.resolve()}, normalization: calibrated'
    )
    return 0


def _open_recordings(options: argparse.Namespace) -> list[Recording]:
    """Open the successes, and the failures of --failed; ArgumentsError for one that is both."""
    from topreward_ros.recordings.labelled import open_recordings, sources_of

    successes = {Path(text).expanduser().resolve() for text in options.source}
    if both := [each for each in options.failed if Path(each).expanduser().resolve() in successes]:
        raise ArgumentsError(f'{both[0]} is given as successes and as --failed: give it once')
    source_options = source_options_of(options, sources_of([*options.source, *options.failed]))
    recordings = open_recordings(options.source, source_options, True)
    if options.failed:
        recordings += open_recordings(options.failed, source_options, False)
    return recordings
