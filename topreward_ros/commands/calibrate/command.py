# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`topreward calibrate`: its arguments."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from topreward_ros.errors import ArgumentsError
from topreward_ros.reward.calibration import VALUES
from topreward_ros.reward.guarantee import CONFIDENCE
from topreward_ros.reward.success import HOLD, WINDOW
from topreward_ros.scoring.frame_fits import FRAME_FITS

from ..arguments import positive, share, whole
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

    from ..score.clip_scores import Plan
    from .promises import Promises

SEARCH_FPS = (1.0, 2.0, 4.0)


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
    _add_search(parser)
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


def _add_search(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        'search', 'settings that separate success from failure best, on recordings held out'
    )
    group.add_argument(
        '--search',
        action='store_true',
        help='try all combinations of what is listed below, and the settings above, which are kept '
        'unless choosing does better on recordings that it did not choose by; needs at least two '
        'successes and two failures',
    )
    group.add_argument(
        '--search-fps',
        nargs='+',
        type=positive,
        default=SEARCH_FPS,
        metavar='FPS',
        help=f'frames per second to try; default: {" ".join(f"{each:g}" for each in SEARCH_FPS)}',
    )
    group.add_argument(
        '--search-frame-fits',
        nargs='+',
        choices=FRAME_FITS,
        default=FRAME_FITS,
        help='ways to resize frames to try; default: all',
    )
    group.add_argument(
        '--search-wordings',
        type=Path,
        metavar='FILE',
        help='wordings of the task to try, one a line with {task} in it, such as "The robot should '
        '{task}"; default: the task as it is',
    )
    group.add_argument(
        '--search-values',
        nargs='+',
        choices=VALUES,
        default=VALUES,
        help='what to try judging by: log P("True"), or log P("True") - log P("False"), where the '
        'model gives both; default: all',
    )


def _check_search(options: argparse.Namespace) -> None:
    """Raise ArgumentsError for options that a search does not go with, or that need one."""
    from topreward_ros.scoring.sampling import Sampling

    if not options.search:
        defaults = {
            'search_fps': SEARCH_FPS,
            'search_frame_fits': FRAME_FITS,
            'search_wordings': None,
            'search_values': VALUES,
        }
        for name, default in defaults.items():
            if getattr(options, name) != default:
                flag = f'--{name.replace("_", "-")}'
                raise ArgumentsError(f'{flag} has no effect without --search: add it')
        return
    if options.false_alarms is not None or options.band is not None:
        raise ArgumentsError(
            '--search chooses by the recordings that --false-alarms and --band would count, so '
            'their promise would not hold: search first, and promise with other recordings and '
            'the settings that were found'
        )
    try:
        for fps in options.search_fps:
            Sampling(fps, options.max_frames, options.max_gap).window()
    except ValueError as error:
        raise ArgumentsError(f'--search-fps: {error}') from error


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
    """Score the demonstrations and write the calibration, after a search if one is asked for."""
    from topreward_ros.files import check_file

    from .promises import check_counts

    check_file(options.save)
    plan = plan_of(options, None)
    promises = _promises_of(options)
    _check_search(options)
    recordings, others = _open_recordings(options)
    failed = sum(each.is_success is False for each in recordings)
    check_counts(len(recordings) - failed, failed, len(others), promises)
    if options.search:
        from .run_search import search_and_calibrate

        return search_and_calibrate(options, recordings)
    return _calibrate(options, recordings, others, promises, plan)


def _calibrate(
    options: argparse.Namespace,
    recordings: Sequence[Recording],
    others: Sequence[Recording],
    promises: Promises,
    plan: Plan,
) -> int:
    from rich.console import Console

    from topreward_ros.results.calibration_file import write_calibration

    from ..score.episode import EpisodeScoring
    from .attempts import attempts_of
    from .make import describe, made, make_calibration

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
    print('\n'.join([*describe(calibration), made(options.save, calibration, scores)]))
    return 0


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
