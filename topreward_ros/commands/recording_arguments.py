# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Arguments of score, calibrate and evaluate: sources, sampling and the model."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from topreward_ros.errors import ArgumentsError
from topreward_ros.scoring.sampling import Sampling

from .arguments import (
    add_model,
    check_task_argument,
    load_options_of,
    note_of,
    pixels,
    positive,
    whole,
)

if TYPE_CHECKING:
    from topreward_ros.recordings.recording import Recording
    from topreward_ros.recordings.source_options import SourceOptions
    from topreward_ros.scoring.score import Scorer

    from .score.clip_scores import Plan

SOURCES = (
    'video file, folder of videos or images, bag, or LeRobot dataset (folder, or OWNER/NAME on the '
    'hub)'
)


def add_recording_arguments(parser: argparse.ArgumentParser, save: str) -> None:
    """Add the arguments; save is the default output path."""
    kind = 'file' if Path(save).suffix else 'folder'
    parser.add_argument('source', nargs='+', help=SOURCES)
    parser.add_argument(
        '--task', help="what the robot does, in words; default: the source's own task"
    )
    _add_loading_arguments(parser)
    parser.add_argument(
        '--save', type=Path, default=Path(save), help=f'output {kind}; default: %(default)s'
    )
    _add_reading_arguments(parser)


def _add_loading_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument(
        '--device',
        default='auto',
        help='device of the model: auto, cpu, cuda, cuda:1, ...; default: %(default)s',
    )
    parser.add_argument(
        '--dtype',
        default='auto',
        help='data type of the weights: auto, bfloat16, float16 or float32; default: %(default)s',
    )
    parser.add_argument(
        '--quantization',
        default='none',
        help='quantization of the weights: none, 8bit or 4bit; default: %(default)s',
    )
    parser.add_argument(
        '--max-pixels',
        type=pixels,
        help='larger frames are scaled down to this many pixels; default: as in the reward node',
    )
    parser.add_argument('--adapter', help='LoRA adapter of the model: folder, or id on the hub')


def _add_reading_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--fps',
        type=positive,
        default=Sampling.fps,
        help='frames kept per second; default: %(default)s',
    )
    parser.add_argument(
        '--max-frames',
        type=whole,
        default=Sampling.max_frames,
        help='most frames kept; when reached, every second pair is dropped; default: %(default)s',
    )
    parser.add_argument(
        '--folder-fps',
        type=positive,
        default=0.0,
        help='images per second of a folder of images; default: 30',
    )
    parser.add_argument('--image-topic', help='image topic of a bag; needed where it has several')
    parser.add_argument('--camera', help='camera of a LeRobot dataset; needed where it has several')
    parser.add_argument(
        '--episodes',
        metavar='SPANS',
        help='episodes of a bag as START:END in seconds since its first image, such as '
        "0:12.5,20:31; default: by the bag's own task and running topics",
    )
    parser.add_argument(
        '--max-gap',
        type=positive,
        default=Sampling.max_gap,
        help='in a bag, a longer gap between image stamps begins a new episode [s]; '
        'default: %(default)s',
    )


def source_options_of(options: argparse.Namespace) -> SourceOptions:
    """Return how to read the sources; raises ArgumentsError for a bad task or numbers."""
    from topreward_ros.recordings.source_options import SourceOptions
    from topreward_ros.recordings.spans import parse_spans

    check_task_argument(options.task)
    sampling = Sampling(options.fps, options.max_frames, options.max_gap)
    try:
        sampling.window()
    except ValueError as error:
        raise ArgumentsError(str(error)) from error
    return SourceOptions(
        task=options.task or '',
        folder_fps=options.folder_fps,
        camera=options.camera,
        image_topic=options.image_topic,
        spans=parse_spans(options.episodes) if options.episodes else (),
        sampling=sampling,
    )


def plan_of(options: argparse.Namespace, anchors: int | None) -> Plan:
    """Return which frames are kept, and how many prefixes are scored (None: all)."""
    from .score.clip_scores import Plan

    return Plan(options.fps, anchors, options.max_frames)


def load(options: argparse.Namespace) -> Scorer:
    """Load the scorer and print its summary."""
    from topreward_ros.scoring.families import load_scorer

    scorer = load_scorer(load_options_of(options))
    print(scorer.summary)
    if note := note_of(options):
        print(note)
    return scorer


def print_notes(recordings: Sequence[Recording]) -> None:
    """Print what a user should know about how these recordings are read."""
    from topreward_ros.recordings.recording import clip_notes

    for note in clip_notes(recordings):
        print(note)
