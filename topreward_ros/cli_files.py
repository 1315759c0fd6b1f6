# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The commands for recordings: score, calibrate and evaluate. None of them needs ROS."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .cli_arguments import (
    DEMO_MODEL_NOTE,
    add_model,
    add_setting,
    pixels,
    positive,
    typed,
    whole,
)
from .scoring.errors import TopRewardError

if TYPE_CHECKING:
    from .offline.clip_scores import Plan
    from .offline.outputs import Reading
    from .offline.recording import Recording
    from .offline.sources import SourceOptions
    from .scoring.checkpoint import LoadOptions

SOURCES = 'video files, image folders, bags, LeRobot datasets (a folder, or owner/name on the hub)'


def score(options: argparse.Namespace) -> int:
    """Recordings to tables, pictures, bags and datasets' progress."""
    from .offline.score_files import ScoreOptions, score_files

    if not options.bag and (options.calibration or options.set):
        raise TopRewardError('--calibration and --set tell how --bag reads log P: add --bag')
    dense = options.dense or options.bag
    wanted = ScoreOptions(
        sources=tuple(options.source),
        save=options.save,
        plan=_plan(options, None if dense else options.anchors),
        read=_source_options(options),
        reading=_reading(options) if options.bag else None,
        parquet=options.parquet,
        overlay=options.overlay,
        note=_note(options),
    )
    wanted.check()  # refused before the model is loaded
    if options.ray is not None:
        from .offline.ray_scoring import RayOptions, score_with_ray

        score_with_ray(
            wanted.anywhere(),
            RayOptions(
                _model(options),
                _load_options(options),
                _max_pixels(options),
                options.ray,
                options.workers or 0,
            ),
        )
        return 0
    scorer, identity, _ = _load(options)
    score_files(scorer, identity, wanted)
    return 0


def calibrate(options: argparse.Namespace) -> int:
    """Demonstrations of a task to a calibration for the node."""
    from rich.console import Console

    from .offline.attempts import attempts_of
    from .offline.calibrate import describe, make_calibration
    from .offline.calibration_file import write_calibration
    from .offline.labelled import open_recordings
    from .offline.score_episode import EpisodeScoring
    from .offline.whole_files import check_file

    check_file(options.save)
    plan, read = _plan(options, None), _source_options(options)
    recordings = open_recordings(options.source, read, True)
    if options.failed:
        recordings += open_recordings(options.failed, read, False)
    _tell_remarks(recordings)
    scorer, identity, _ = _load(options)
    least = options.window + options.hold - 1
    kept = options.save.with_suffix('.scores')
    found = attempts_of(
        scorer,
        recordings,
        EpisodeScoring(identity, plan),
        kept,
        console=Console(stderr=True),
        least=least,
    )
    made = make_calibration(
        [attempt for _, attempt in found],
        [recording.task for recording, _ in found],
        identity,
        options.fps,
        window=options.window,
        hold=options.hold,
    )
    write_calibration(options.save, made)
    print('\n'.join(describe(made)))
    print(
        f'{options.save}: {made.successes} successes, {made.failures} failures (their scores: '
        f'{kept}). For the node: '
        f'calibration:={options.save.resolve()} normalization:=calibrated'
    )
    return 0


def evaluate(options: argparse.Namespace) -> int:
    """Recordings with known outcomes to a report of how well they are read."""
    from .offline.calibration_file import read_calibration
    from .offline.evaluation.measuring import Sampling
    from .offline.evaluation.methods import make_methods
    from .offline.evaluation.run import EvaluateOptions
    from .offline.evaluation.run import evaluate as run
    from .offline.labelled import open_recordings
    from .offline.whole_files import check_folder

    check_folder(options.save)
    made = read_calibration(options.calibration) if options.calibration else None
    recordings = open_recordings(options.source, _source_options(options))
    _tell_remarks(recordings)
    scorer, identity, checkpoint = _load(options)
    notes = (_note(options),) if _note(options) else ()
    report = run(
        make_methods(options.methods, scorer, checkpoint, _max_pixels(options)),
        identity,
        recordings,
        EvaluateOptions(
            options.save,
            Sampling(options.fps, options.max_frames, options.anchors),
            made,
            notes,
            options.seed,
        ),
    )
    print(report.read_text(encoding='utf-8'))
    print(f'{report}: the same with pictures')
    return 0


def _model(options: argparse.Namespace) -> str:
    from .demo.model import FOLDER

    return options.model or str(FOLDER)


def _note(options: argparse.Namespace) -> str:
    return '' if options.model else DEMO_MODEL_NOTE


def _load_options(options: argparse.Namespace) -> LoadOptions:
    from .scoring.checkpoint import LoadOptions

    try:
        return LoadOptions(
            options.device,
            options.dtype,
            quantization=options.quantization,
            adapter=options.adapter,
        )
    except ValueError as error:
        raise TopRewardError(str(error)) from error


def _max_pixels(options: argparse.Namespace) -> int:
    from .scoring.video import DEFAULT_MAX_PIXELS

    return int(options.max_pixels or DEFAULT_MAX_PIXELS)


def _load(options: argparse.Namespace) -> Any:
    """The scorer, its identity and its checkpoint; what they are is told."""
    from .scoring.factory import load_scorer
    from .scoring.identity import identify

    scorer, checkpoint = load_scorer(
        _model(options), _load_options(options), max_pixels=_max_pixels(options)
    )
    print(checkpoint.summary())
    if _note(options):
        print(_note(options))
    return scorer, identify(checkpoint, _max_pixels(options)), checkpoint


def _plan(options: argparse.Namespace, anchors: int | None) -> Plan:
    from .offline.clip_scores import Plan

    return Plan(options.fps, anchors, options.max_frames)


def _source_options(options: argparse.Namespace) -> SourceOptions:
    from .offline.bags.episodes import EpisodeOptions
    from .offline.bags.spans import parse_spans
    from .offline.sources import SourceOptions

    spans = parse_spans(options.episodes) if options.episodes else ()
    episodes = EpisodeOptions(
        task=options.task or '',
        spans=spans,
        fps=options.fps,
        max_frames=options.max_frames,
        max_gap=options.max_gap,
    )
    try:
        episodes.window()
    except ValueError as error:
        raise TopRewardError(str(error)) from error
    return SourceOptions(
        task=options.task or '',
        folder_fps=options.folder_fps,
        camera=options.camera,
        bag=episodes,
        image_topic=options.image_topic,
    )


def _tell_remarks(recordings: Sequence[Recording]) -> None:
    from .offline.recording import remarks

    for remark in remarks(recordings):
        print(remark)


def _reading(options: argparse.Namespace) -> Reading:
    """As the node would publish: its parameters by --set, those of the demo's model by itself."""
    from .demo.model import SETTINGS
    from .offline.calibration_file import read_calibration
    from .offline.outputs import Reading
    from .reward.live import RewardOptions

    defaults = dataclasses.asdict(RewardOptions())
    values: dict[str, Any] = {} if options.model else dict(SETTINGS)
    made = read_calibration(options.calibration) if options.calibration else None
    if made is not None:
        values['normalization'] = 'calibrated'
    for name, text in options.set:
        if name not in defaults:
            raise TopRewardError(
                f'--set {name} changes nothing in a recording; expected one of '
                f'{", ".join(defaults)}'
            )
        values[name] = typed(text, defaults[name])
    reading = Reading(RewardOptions(**values), made)
    try:
        reading.options.start(made)
    except (ValueError, TypeError) as error:
        raise TopRewardError(str(error)) from error
    return reading


def add_files(commands: Any) -> None:
    """Add the commands to the parser's."""
    scores = commands.add_parser('score', help='score recordings: CSV, picture, bag, film, parquet')
    _add_sources(scores, 'topreward_scores')
    scores.add_argument('--anchors', type=whole, default=15, help='prefixes scored, evenly spaced')
    scores.add_argument('--dense', action='store_true', help='score every prefix')
    scores.add_argument('--overlay', action='store_true', help='a film with the curve drawn in')
    scores.add_argument(
        '--bag',
        action='store_true',
        help='of a bag: one with /topreward/progress and /topreward/success_detected beside its '
        'topics, as the node would publish them; scores every prefix',
    )
    scores.add_argument(
        '--parquet', action='store_true', help='of a LeRobot dataset: progress as RA-BC reads it'
    )
    scores.add_argument('--calibration', type=Path, help='how --bag reads log P; from calibrate')
    add_setting(scores, 'how --bag reads log P: a parameter of the node, as normalization=fixed')
    scores.add_argument(
        '--ray',
        nargs='?',
        const='',
        metavar='ADDRESS',
        help='episodes as Ray Data tasks, on this machine or on a cluster',
    )
    scores.add_argument('--workers', type=whole, help='actors of --ray, each with a model')
    scores.set_defaults(command=score)

    made = commands.add_parser('calibrate', help="from recordings of a task, the node's scale")
    _add_sources(made, 'calibration.yaml')
    made.add_argument(
        '--failed', nargs='+', default=[], metavar='SOURCE', help='recordings that failed'
    )
    made.add_argument('--window', type=whole, default=3, help='scores in the mean of success')
    made.add_argument('--hold', type=whole, default=2, help='times in a row that it has to be over')
    made.set_defaults(command=calibrate)

    told = commands.add_parser('evaluate', help='how well progress and success are read: a report')
    _add_sources(told, 'topreward_evaluation')
    told.add_argument('--anchors', type=whole, default=15, help='prefixes read, evenly spaced')
    told.add_argument('--calibration', type=Path, help='judge this one too')
    told.add_argument(
        '--methods',
        nargs='+',
        choices=('topreward', 'lrm', 'gvl'),
        default=('topreward', 'lrm'),
        help='TOPReward, Large Reward Models, and Generative Value Learning, which takes longest '
        'as the model writes a text; default: the first two',
    )
    told.add_argument('--seed', type=int, default=0, help='of the shuffled frames')
    told.set_defaults(command=evaluate)


def _add_sources(parser: argparse.ArgumentParser, save: str) -> None:
    parser.add_argument('source', nargs='+', help=SOURCES)
    parser.add_argument('--task', help='what the robot does, in words; else as the source says')
    add_model(parser)
    parser.add_argument('--device', default='auto', help='auto, cpu, cuda, cuda:1, ...')
    parser.add_argument('--dtype', default='auto', help='of the weights: auto, bfloat16, float32')
    parser.add_argument('--quantization', default='none', help='none, 8bit or 4bit')
    parser.add_argument(
        '--max-pixels',
        type=pixels,
        help='frames are shrunk to at most this many; default: as for the node',
    )
    parser.add_argument('--adapter', help='LoRA adapter: folder, or id on the hub')
    parser.add_argument('--save', type=Path, default=Path(save), help='default: %(default)s')
    parser.add_argument('--fps', type=positive, default=2.0, help='frames kept a second')
    parser.add_argument(
        '--max-frames', type=whole, default=64, help='then every second pair is dropped'
    )
    parser.add_argument(
        '--folder-fps', type=positive, default=0.0, help='images a second in a folder of images'
    )
    parser.add_argument('--image-topic', help='of a bag with several')
    parser.add_argument('--camera', help='of a dataset with several')
    parser.add_argument('--episodes', metavar='SPANS', help='of a bag, in seconds: 0:12.5,20:31')
    parser.add_argument(
        '--max-gap', type=positive, default=10.0, help='of a bag: a longer one ends an episode [s]'
    )
