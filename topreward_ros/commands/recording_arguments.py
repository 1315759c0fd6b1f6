# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What score, calibrate and evaluate have in common: sources, sampling and the model."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from topreward_ros.errors import TopRewardError
from topreward_ros.scoring.sampling import Sampling

from .arguments import add_model, load_options_of, note_of, pixels, positive, whole

if TYPE_CHECKING:
    from topreward_ros.recordings.recording import Recording
    from topreward_ros.recordings.source_options import SourceOptions
    from topreward_ros.scoring.score import Scorer

    from .score.clip_scores import Plan

SOURCES = 'video files, image folders, bags, LeRobot datasets (a folder, or owner/name on the hub)'


def add_recording_arguments(parser: argparse.ArgumentParser, save: str) -> None:
    """Add the arguments; save is the default name of what is written."""
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
    parser.add_argument('--fps', type=positive, default=Sampling.fps, help='frames kept per second')
    parser.add_argument(
        '--max-frames',
        type=whole,
        default=Sampling.max_frames,
        help='most frames kept; when reached, every second pair is dropped',
    )
    parser.add_argument(
        '--folder-fps', type=positive, default=0.0, help='images per second in a folder of images'
    )
    parser.add_argument('--image-topic', help='the image topic of a bag that has several')
    parser.add_argument('--camera', help='the camera of a dataset that has several')
    parser.add_argument(
        '--episodes', metavar='SPANS', help='episodes of a bag, in seconds: 0:12.5,20:31'
    )
    parser.add_argument(
        '--max-gap',
        type=positive,
        default=Sampling.max_gap,
        help='a longer gap of the stamps in a bag begins a new episode [s]',
    )


def source_options_of(options: argparse.Namespace) -> SourceOptions:
    """How to read the sources; TopRewardError for numbers that do not go together."""
    from topreward_ros.recordings.source_options import SourceOptions
    from topreward_ros.recordings.spans import parse_spans

    sampling = Sampling(options.fps, options.max_frames, options.max_gap)
    try:
        sampling.window()
    except ValueError as error:
        raise TopRewardError(str(error)) from error
    return SourceOptions(
        task=options.task or '',
        folder_fps=options.folder_fps,
        camera=options.camera,
        image_topic=options.image_topic,
        spans=parse_spans(options.episodes) if options.episodes else (),
        sampling=sampling,
    )


def plan_of(options: argparse.Namespace, anchors: int | None) -> Plan:
    """Which frames are kept, and how many prefixes are scored (None: all of them)."""
    from .score.clip_scores import Plan

    return Plan(options.fps, anchors, options.max_frames)


def load(options: argparse.Namespace) -> Scorer:
    """Load the scorer and print what it is."""
    from topreward_ros.scoring.families import load_scorer

    scorer = load_scorer(load_options_of(options))
    print(scorer.summary)
    if note := note_of(options):
        print(note)
    return scorer


def print_notes(recordings: Sequence[Recording]) -> None:
    """Print what a user should know of how these recordings are read."""
    from topreward_ros.recordings.recording import clip_notes

    for note in clip_notes(recordings):
        print(note)
