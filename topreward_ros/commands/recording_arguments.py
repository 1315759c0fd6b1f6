# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Arguments of score, calibrate and evaluate: sources, sampling and the model."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from topreward_ros.errors import ArgumentsError
from topreward_ros.scoring.frame_fits import FRAME_FITS
from topreward_ros.scoring.sampling import HISTORIES, Sampling

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
    add_loading_arguments(parser)
    parser.add_argument(
        '--save', type=Path, default=Path(save), help=f'output {kind}; default: %(default)s'
    )
    _add_reading_arguments(parser)


def add_loading_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of how the model is loaded."""
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
        '--frame-fit',
        choices=FRAME_FITS,
        help='how frames are resized: paper (squashed to 244x244, as published) or aspect (in '
        'their own shape); default: as in the reward node, paper',
    )
    parser.add_argument(
        '--max-pixels',
        type=pixels,
        help='larger frames are scaled down to this many pixels; default: as in the reward node',
    )
    parser.add_argument('--adapter', help='LoRA adapter of the model: folder, or id on the hub')


def add_sampling_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of which frames are kept."""
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
        help='most frames kept; when reached, frames are dropped as by --history, and evaluate '
        'samples more coarsely; default: %(default)s',
    )


def _add_reading_arguments(parser: argparse.ArgumentParser) -> None:
    add_sampling_arguments(parser)
    parser.add_argument(
        '--folder-fps',
        type=positive,
        default=0.0,
        help='images per second of a folder of images, or of raw video; default: 30',
    )
    parser.add_argument('--image-topic', help='image topic of a bag; needed where it has several')
    parser.add_argument('--camera', help='camera of a LeRobot dataset; needed where it has several')
    parser.add_argument(
        '--episodes',
        nargs='+',
        metavar='EPISODE',
        help='episodes of a LeRobot dataset by number, such as 0 5 10-14; of a bag as START:END in '
        'seconds since its first image, such as 0:12.5 20:31; default: all of a dataset; by the '
        "bag's own task and running topics",
    )
    parser.add_argument(
        '--max-gap',
        type=positive,
        default=Sampling.max_gap,
        help='in a bag, a longer gap between image stamps begins a new episode [s]; '
        'default: %(default)s',
    )


def add_history(parser: argparse.ArgumentParser) -> None:
    """Add the argument of commands that drop frames as the node does."""
    parser.add_argument(
        '--history',
        choices=HISTORIES,
        default=Sampling.history,
        help='what is dropped at --max-frames: every second pair (thin), or the oldest frame for '
        'each new one (last); default: %(default)s',
    )


def source_options_of(options: argparse.Namespace, sources: Sequence[str]) -> SourceOptions:
    """Return how to read these sources, and print which options have no effect on some of them.

    Raises ArgumentsError for a bad task or numbers, and ClipError for options without effect on any
    source.
    """
    from topreward_ros.recordings.source_options import SourceOptions
    from topreward_ros.recordings.sources import check_options
    from topreward_ros.recordings.spans import parse_episodes

    check_task_argument(options.task)
    sampling = Sampling(options.fps, options.max_frames, options.max_gap)
    try:
        sampling.window()
    except ValueError as error:
        raise ArgumentsError(str(error)) from error
    spans, episodes = parse_episodes(options.episodes or ())
    read = SourceOptions(
        task=options.task or '',
        folder_fps=options.folder_fps,
        camera=options.camera,
        image_topic=options.image_topic,
        spans=spans,
        episodes=episodes,
        sampling=sampling,
    )
    for note in check_options(sources, read):
        print(note)
    return read


def plan_of(options: argparse.Namespace, anchors: int | None) -> Plan:
    """Return which frames are kept, as by the node, and how many prefixes scored (None: all)."""
    from .score.clip_scores import Plan

    return Plan(options.fps, anchors, options.max_frames, history=options.history)


def load(options: argparse.Namespace) -> Scorer:
    """Load the scorer and print its summary."""
    from topreward_ros.scoring.families import load_scorer

    scorer = load_scorer(load_options_of(options))
    print(scorer.summary)
    if note := note_of(options):
        print(note)
    return scorer


def print_notes(recordings: Sequence[Recording], told: Sequence[str] = ()) -> list[str]:
    """Print what a user should know about how these recordings are read, unless it was told.

    Returns all of it; there may be more once they have been read.
    """
    from topreward_ros.recordings.recording import clip_notes

    notes = clip_notes(recordings)
    for note in notes:
        if note not in told:
            print(note)
    return notes
