# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Qwen3-VL checkpoints with random weights: real classes and files, meaningless scores.

They are loaded with the same code as the published models, so they serve to test and time the
package. The weights depend on the seed alone, not on library versions.
"""

from __future__ import annotations

import os
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch

from topreward_ros.files import whole_folder

from .checkpoint_files import new_model, save_weights

_TINY: dict[str, Any] = {
    'text': {
        'hidden_size': 64,
        'intermediate_size': 128,
        'num_hidden_layers': 4,
        'num_attention_heads': 4,
        'num_key_value_heads': 2,
        'head_dim': 32,
    },
    'vision': {'depth': 4, 'hidden_size': 64, 'intermediate_size': 128, 'num_heads': 4},
    'mrope_section': [6, 5, 5],
    'deepstack': [0, 1, 2],
    'std': 0.15,
}
# About 80 million parameters: slow enough on a CPU to measure the cost of a step.
_SMALL: dict[str, Any] = {
    'text': {
        'hidden_size': 512,
        'intermediate_size': 1536,
        'num_hidden_layers': 16,
        'num_attention_heads': 8,
        'num_key_value_heads': 4,
        'head_dim': 64,
    },
    'vision': {'depth': 8, 'hidden_size': 384, 'intermediate_size': 1536, 'num_heads': 6},
    'mrope_section': [12, 10, 10],
    'deepstack': [2, 4, 6],
    'std': 0.05,
}
SHAPES = {'tiny': _TINY, 'small': _SMALL}


def random_checkpoint(shape: str = 'tiny', seed: int = 0) -> Path:
    """Return the folder of a random checkpoint in the user's cache, written there if missing."""
    cache = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache')
    folder = cache / 'topreward_ros' / f'random-{shape}-{seed}-v1'
    if not folder.exists():
        write_random_checkpoint(folder, shape, seed)
    return folder


def write_random_checkpoint(folder: Path, shape: str = 'tiny', seed: int = 0) -> None:
    """Write a checkpoint in Hugging Face layout, atomically."""
    with whole_folder(folder) as part:
        model = new_model(part, SHAPES[shape])
        _fill(model, SHAPES[shape]['std'], seed)
        save_weights(part, model)


def _fill(model: torch.nn.Module, std: float, seed: int) -> None:
    for name, tensor in model.state_dict().items():
        random = np.random.default_rng([seed, zlib.crc32(name.encode())])
        noise = torch.from_numpy(random.standard_normal(tuple(tensor.shape), dtype=np.float32))
        is_scale = 'norm' in name and name.endswith('weight')
        tensor.copy_(1 + 0.1 * noise if is_scale else std * noise)
