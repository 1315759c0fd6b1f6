# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`topreward evaluate`: its arguments."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from topreward_ros.scoring.sampling import ANCHORS

from ..arguments import note_of, whole
from ..recording_arguments import add_recording_arguments, load, print_notes, source_options_of

if TYPE_CHECKING:
    from topreward_ros.reward.calibration import Calibration

    from .run import EvaluateOptions

METHODS = ('topreward', 'lrm', 'gvl')


def add_parser(commands: Any) -> None:
    """Add the command to the parser's."""
    parser = commands.add_parser(
        'evaluate', help='report how well progress and success are predicted for recordings'
    )
    add_recording_arguments(parser, 'topreward_evaluation')
    parser.add_argument(
        '--anchors',
        type=whole,
        default=ANCHORS,
        help='evaluated prefixes of each recording, evenly spaced; default: %(default)s',
    )
    parser.add_argument(
        '--dense',
        action='store_true',
        help='evaluate every prefix instead, as the node scores: slower, and for the detection of '
        'success as it would be live',
    )
    parser.add_argument(
        '--calibration',
        type=Path,
        help='calibration.yaml of `topreward calibrate`, to evaluate the calibrated progress too',
    )
    parser.add_argument(
        '--methods',
        nargs='+',
        choices=METHODS,
        help='methods to compare: TOPReward, Large Reward Models, Generative Value Learning (the '
        'slowest, as the model generates text); default: topreward, and lrm if the model can chat',
    )
    parser.add_argument(
        '--seed',
        type=int,
        default=0,
        help='seed of the control with shuffled frames; default: %(default)s',
    )
    parser.set_defaults(command=evaluate)


def evaluate(options: argparse.Namespace) -> int:
    """Measure recordings with known outcomes and write the report."""
    from topreward_ros.files import check_folder
    from topreward_ros.recordings.labelled import open_recordings, sources_of
    from topreward_ros.results.calibration_file import check_calibration, read_calibration

    from .answers import AnswerCheck
    from .methods import make_methods
    from .report import NOT_MEASURED
    from .run import EvaluationError
    from .run import evaluate as run

    check_folder(options.save)
    calibration = read_calibration(options.calibration) if options.calibration else None
    if calibration is not None:
        check_calibration(calibration, options.fps, name=options.calibration)
    read = source_options_of(options, sources_of(options.source))
    recordings = open_recordings(options.source, read)
    if calibration is not None:
        recordings = [replace(each, task=calibration.ask(each.task)) for each in recordings]
    notes = print_notes(recordings)
    scorer = load(options)
    answers = AnswerCheck(scorer, options.save / 'published')
    for line in answers.notes(recordings):
        print(line)
    report, failed = run(
        make_methods(options.methods, scorer),
        scorer.identity,
        recordings,
        _options_of(options, calibration),
        answers,
    )
    print_notes(recordings, notes)
    # The failures have been told, each on the error stream
    print(report.read_text(encoding='utf-8').partition(NOT_MEASURED)[0])
    print(f'{report}: this report with plots')
    of = f'of {len(recordings)} recordings'
    if failed:
        raise EvaluationError(f'{failed} {of} could not be measured')
    if count := len(answers.failed):
        raise EvaluationError(f'the published answers of {count} {of} could not be compared')
    return 0


def _options_of(options: argparse.Namespace, calibration: Calibration | None) -> EvaluateOptions:
    from .measuring import PrefixSampling
    from .run import EvaluateOptions

    note = note_of(options)
    anchors = options.max_frames if options.dense else options.anchors
    sampling = PrefixSampling(options.fps, options.max_frames, anchors)
    return EvaluateOptions(
        options.save, sampling, calibration, (note,) if note else (), options.seed
    )
