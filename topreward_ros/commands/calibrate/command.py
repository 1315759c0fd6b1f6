# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`topreward calibrate`: its arguments."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from topreward_ros.errors import ArgumentsError
from topreward_ros.reward.guarantee import CONFIDENCE
from topreward_ros.reward.success import HOLD, WINDOW

from ..arguments import share, whole
from ..recording_arguments import (
    add_history,
    add_recording_arguments,
    load,
    plan_of,
    print_notes,
    source_options_of,
)

if TYPE_CHECKING:
    from topreward_ros.recordings.recording import Recording
    from topreward_ros.reward.calibration import Calibration

    from .promises import Promises


def add_parser(commands: Any) -> None:
    """Add the command to the parser's."""
    parser = commands.add_parser(
        'calibrate', help='make a calibration for the reward node from recordings of a task'
    )
    add_recording_arguments(parser, 'calibration.yaml')
    add_history(parser)
    parser.add_argument(
        '--failed',
        nargs='+',
        default=[],
        metavar='SOURCE',
        help='sources of failed attempts; all other recordings are successes unless labelled',
    )
    _add_promises(parser)
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


def _add_promises(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        'promises', 'what shall hold for new recordings like these; refused where they are too few'
    )
    group.add_argument(
        '--false-alarms',
        type=share,
        metavar='SHARE',
        help='most new episodes without success that may reach the threshold, such as 0.2 (takes '
        '14 recordings without success) or 0.05 (takes 59)',
    )
    group.add_argument(
        '--other-tasks',
        nargs='+',
        default=[],
        metavar='SOURCE',
        help='sources of recordings of other tasks, which count as recordings without success',
    )
    group.add_argument(
        '--no-beginnings',
        action='store_true',
        help='do not count the unfinished beginning of each success, its first 80 percent, as a '
        'recording without success',
    )
    group.add_argument(
        '--band',
        type=share,
        metavar='SHARE',
        help='most new successes whose progress may leave the band around the share of the time '
        'passed; the scale is then made from a part of the successes only',
    )
    group.add_argument(
        '--confidence',
        type=share,
        help=f'with which the promises hold; default: {CONFIDENCE}',
    )


def _promises_of(options: argparse.Namespace) -> Promises:
    """Return what is asked; raises ArgumentsError for an option without effect."""
    from .promises import Promises

    needs = {'--other-tasks': options.other_tasks, '--no-beginnings': options.no_beginnings}
    idle = [name for name, given in needs.items() if given and options.false_alarms is None]
    if idle:
        raise ArgumentsError(f'{idle[0]} has no effect without --false-alarms: set it, such as 0.2')
    if options.confidence is not None and options.false_alarms is None and options.band is None:
        raise ArgumentsError('--confidence has no effect without --false-alarms or --band: set one')
    confidence = options.confidence or CONFIDENCE
    return Promises(options.false_alarms, options.band, confidence, not options.no_beginnings)


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
    promises = _promises_of(options)
    recordings, others = _open_recordings(options)
    _check_enough(recordings, others, promises)
    notes = print_notes([*recordings, *others])
    scorer = load(options)
    scores = options.save.with_suffix('.scores')
    attempts = attempts_of(
        scorer,
        [*recordings, *others],
        EpisodeScoring(scorer.identity, plan),
        scores,
        console=Console(stderr=True, emoji=False),
        least=options.window + options.hold - 1,
    )
    print_notes([*recordings, *others], notes)
    names = {each.name for each in others}
    own = [(recording, attempt) for recording, attempt in attempts if recording.name not in names]
    calibration = make_calibration(
        [attempt for _, attempt in own],
        [recording.task for recording, _ in own],
        scorer.identity,
        options.fps,
        window=options.window,
        hold=options.hold,
        other_tasks=[attempt for recording, attempt in attempts if recording.name in names],
        promises=promises,
        history=plan.sampling.history_name,
    )
    write_calibration(options.save, calibration)
    print('\n'.join([*describe(calibration), _made(options.save, calibration, scores)]))
    return 0


def _check_enough(
    recordings: Sequence[Recording], others: Sequence[Recording], promises: Promises
) -> None:
    """Raise CalibrationError where there are too few, before the model is loaded."""
    from .promises import check_counts

    failed = sum(each.is_success is False for each in recordings)
    check_counts(len(recordings) - failed, failed, len(others), promises)


def _made(file: Path, calibration: Calibration, scores: Path) -> str:
    """Return what was made, and how the node uses it."""
    return (
        f'{file}: made from {calibration.successes} successes and {calibration.failures} '
        f'failures (scores in {scores}). Parameters for the node: '
        f'calibration: {file.resolve()}, normalization: calibrated'
    )


def _open_recordings(options: argparse.Namespace) -> tuple[list[Recording], list[Recording]]:
    """Open the recordings of the task, with the failures of --failed, and those of other tasks.

    Raises ArgumentsError for a source that is given twice.
    """
    from topreward_ros.recordings.labelled import open_recordings, sources_of

    from .other_tasks import asked_about

    given: dict[Path, str] = {}
    listed = {'successes': options.source, '--failed': options.failed}
    for kind, texts in {**listed, '--other-tasks': options.other_tasks}.items():
        for text in texts:
            path = Path(text).expanduser().resolve()
            if given.setdefault(path, kind) != kind:
                raise ArgumentsError(
                    f'{text} is given as {given[path]} and as {kind}: give it once'
                )
    sources = [*options.source, *options.failed, *options.other_tasks]
    source_options = source_options_of(options, sources_of(sources))
    recordings = open_recordings(options.source, source_options, True)
    if options.failed:
        recordings += open_recordings(options.failed, source_options, False)
    if not options.other_tasks:
        return recordings, []
    others = open_recordings(options.other_tasks, source_options)
    return recordings, asked_about(others, recordings, options.task)
