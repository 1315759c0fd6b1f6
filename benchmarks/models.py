# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The model of a benchmark: a real checkpoint, or random weights in a given or published shape."""

from __future__ import annotations

import argparse
import atexit
import contextlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.machine import machine, size
from topreward_ros.demo.checkpoint_files import new_model
from topreward_ros.demo.pattern import pattern_frame
from topreward_ros.demo.random_checkpoint import SHAPES, random_checkpoint
from topreward_ros.scoring.frame_fits import FRAME_FITS
from topreward_ros.scoring.loading.checkpoint import (
    Checkpoint,
    load_checkpoint,
    torch_device,
    torch_dtype,
)
from topreward_ros.scoring.loading.float8 import use_float8
from topreward_ros.scoring.loading.memory import release_memory
from topreward_ros.scoring.loading.options import LoadOptions
from topreward_ros.scoring.reward_models.topreward.streaming import StreamingScorer

TASK = 'Move the orange square into the blue ring.'
FPS = 2.0
VOCABULARY = 151_936


def _published(hidden: int, feed_forward: int, layers: int, heads: int, large: bool) -> Any:
    """Return the shape in config.json of Qwen/Qwen3-VL-*-Instruct."""
    vision = {
        'depth': 27 if large else 24,
        'hidden_size': 1152 if large else 1024,
        'intermediate_size': 4304 if large else 4096,
        'num_heads': 16,
    }
    return {
        'text': {
            'hidden_size': hidden,
            'intermediate_size': feed_forward,
            'num_hidden_layers': layers,
            'num_attention_heads': heads,
            'num_key_value_heads': 8,
            'head_dim': 128,
        },
        'vision': vision,
        'mrope_section': [24, 20, 20],
        'deepstack': [8, 16, 24] if large else [5, 11, 17],
        'vocabulary': VOCABULARY,
    }


PUBLISHED = {
    'qwen3-vl-2b': _published(2048, 6144, 28, 16, large=False),
    'qwen3-vl-4b': _published(2560, 9728, 36, 32, large=False),
    'qwen3-vl-8b': _published(4096, 12_288, 36, 32, large=True),
}


_KEPT: dict[tuple[Any, ...], Checkpoint] = {}


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--model', help='folder or hub id of a Qwen3-VL; default: random weights')
    parser.add_argument(
        '--shape',
        choices=(*SHAPES, *PUBLISHED),
        default='small',
        help='shape of the random weights',
    )
    parser.add_argument(
        '--size', type=size, default=(224, 224), help='size of the frames; default: 224x224'
    )
    parser.add_argument('--device', default='auto')
    parser.add_argument('--dtype', default='auto')
    parser.add_argument(
        '--frame-fit',
        choices=FRAME_FITS,
        default='aspect',
        help='default: aspect, so that --size is what the model sees',
    )
    parser.add_argument(
        '--graphs',
        choices=('on', 'off'),
        default='on',
        help='off runs the steps of streaming one kernel at a time',
    )
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the numbers here too')


def load(options: argparse.Namespace) -> Checkpoint:
    """Load the checkpoint of the options, unless it is the one that was loaded last."""
    model = options.model
    how = {name: getattr(options, name) for name in ('device', 'dtype', 'frame_fit')}
    key = model, options.shape, *how.values()
    if key not in _KEPT:
        forget()
        if not model and options.shape in PUBLISHED:
            _KEPT[key] = _random_model(LoadOptions(options.shape, **how))
        else:
            folder = model or str(random_checkpoint(options.shape))
            _KEPT[key] = load_checkpoint(LoadOptions(folder, **how))
    return _KEPT[key]


def streaming_scorer(options: argparse.Namespace, max_frames: int) -> StreamingScorer:
    """Return a scorer of the options' checkpoint, warmed up for episodes of so many frames."""
    scorer = StreamingScorer(load(options))
    if options.graphs == 'off':
        scorer.recorded = None
    width, height = options.size
    scorer.warm_up(height, width, max_frames)
    return scorer


def forget() -> None:
    """Give back the memory of the checkpoint that was loaded last."""
    _KEPT.clear()
    release_memory()


def _random_model(options: LoadOptions) -> Checkpoint:
    """Make random weights (normal, 0.02) directly on the device, without files."""
    began, device = time.monotonic(), torch_device(options.device)
    folder = Path(tempfile.mkdtemp(prefix='topreward-'))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with _default_device(device, torch_dtype(options.dtype, device)):
        torch.manual_seed(0)
        model = new_model(folder, PUBLISHED[options.model]).eval().requires_grad_(False)
        if options.dtype == 'float8':
            use_float8(model)
    return Checkpoint(options, folder, model, time.monotonic() - began)


@contextlib.contextmanager
def _default_device(device: torch.device, dtype: torch.dtype) -> Iterator[None]:
    default = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with device:
            yield
    finally:
        torch.set_default_dtype(default)


def frames(count: int, width: int, height: int) -> list[np.ndarray]:
    return [pattern_frame(k / max(1, count - 1), height, width) for k in range(count)]


def synchronize() -> None:
    """Wait until the device has finished its work."""
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()


def facts(checkpoint: Checkpoint, options: argparse.Namespace) -> dict[str, str]:
    """Return the facts about model and machine."""
    weights = next(checkpoint.model.parameters())
    millions = sum(p.numel() for p in checkpoint.model.parameters()) / 1e6
    device = str(weights.device)
    if weights.is_cuda:
        device += f' ({torch.cuda.get_device_name(weights.device)})'
    name = options.model or f'random weights, shape {options.shape}'
    return {
        **machine(),
        'torch': f'{torch.__version__}, {torch.get_num_threads()} threads',
        'device': device,
        'dtype': str(weights.dtype).removeprefix('torch.'),
        'model': f'{name}, {millions:.1f} million parameters',
        'frames': '{}x{}'.format(*options.size) + f', fitted as {options.frame_fit}',
    }
