# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`topreward calibrate`: from demonstrations of a task to a calibration for the node."""

from __future__ import annotations

import argparse
from typing import Any

from ..arguments import whole
from ..recording_arguments import (
    add_recording_arguments,
    load,
    plan_of,
    print_notes,
    source_options_of,
)


def add_parser(commands: Any) -> None:
    """Add the command to the parser's."""
    parser = commands.add_parser('calibrate', help="from recordings of a task, the node's scale")
    add_recording_arguments(parser, 'calibration.yaml')
    parser.add_argument(
        '--failed', nargs='+', default=[], metavar='SOURCE', help='recordings that failed'
    )
    parser.add_argument('--window', type=whole, default=3, help='scores in the mean of success')
    parser.add_argument(
        '--hold',
        type=whole,
        default=2,
        help='times in a row that the mean must reach the threshold',
    )
    parser.set_defaults(command=calibrate)


def calibrate(options: argparse.Namespace) -> int:
    """Score the demonstrations and write the calibration."""
    from rich.console import Console

    from topreward_ros.files import check_file
    from topreward_ros.recordings.labelled import open_recordings
    from topreward_ros.results.calibration_file import write_calibration

    from ..score.episode import EpisodeScoring
    from .attempts import attempts_of
    from .make import describe, make_calibration

    check_file(options.save)
    plan, read = plan_of(options, None), source_options_of(options)
    recordings = open_recordings(options.source, read, True)
    if options.failed:
        recordings += open_recordings(options.failed, read, False)
    print_notes(recordings)
    scorer = load(options)
    kept = options.save.with_suffix('.scores')
    found = attempts_of(
        scorer,
        recordings,
        EpisodeScoring(scorer.identity, plan),
        kept,
        console=Console(stderr=True),
        least=options.window + options.hold - 1,
    )
    calibration = make_calibration(
        [attempt for _, attempt in found],
        [recording.task for recording, _ in found],
        scorer.identity,
        options.fps,
        window=options.window,
        hold=options.hold,
    )
    write_calibration(options.save, calibration)
    print('\n'.join(describe(calibration)))
    print(
        f'{options.save}: {calibration.successes} successes, {calibration.failures} failures '
        f'(their scores: {kept}). Parameters for the node: '
        f'calibration: {options.save.resolve()}, normalization: calibrated'
    )
    return 0
