# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A Robometer with random weights, in LeRobot's layout or that of its authors.

The weights depend on the seed alone: normal numbers from one generator, for LeRobot's names in
order; norms are 1, their biases 0.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from topreward_ros.files import whole_folder
from topreward_ros.scoring.reward_models.robometer.layout import ADDED_TOKENS

from .checkpoint_files import new_model
from .random_checkpoint import SHAPES

BINS = 10
STD = 0.15
SEED = 7
LEROBOT, AUTHORS = 'lerobot', 'authors'


def write_random_robometer(
    folder: Path, shape: str = 'tiny', layout: str = LEROBOT, seed: int = SEED
) -> None:
    """Write a checkpoint in this layout, atomically; LEROBOT has the added tokens in its tokenizer.

    The same seed gives the same weights in both.
    """
    from safetensors.torch import save_file

    with whole_folder(folder) as part:
        new_model(part, SHAPES[shape], added=ADDED_TOKENS if layout == LEROBOT else ())
        config = json.loads((part / 'config.json').read_text(encoding='utf-8'))
        if layout == LEROBOT:
            weights = _weights(_shapes(config), seed)
            config = {'type': 'robometer', 'vlm_config': config}
        else:
            rows = config['text_config']['vocab_size']  # from before tokens were added
            config['text_config']['vocab_size'] = rows + len(ADDED_TOKENS)
            weights = _weights(_shapes(config), seed)
            weights = {name.removeprefix('model.'): each for name, each in weights.items()}
            config['text_config']['vocab_size'] = rows
        (part / 'config.json').write_text(json.dumps(config, indent=2), encoding='utf-8')
        save_file(weights, part / 'model.safetensors', metadata={'format': 'pt'})


def _shapes(config: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """Return the shapes of all weights by LeRobot's names."""
    from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

    with torch.device('meta'):
        model = Qwen3VLForConditionalGeneration(Qwen3VLConfig.from_dict(config))
    shapes = {f'model.{name}': tuple(each.shape) for name, each in model.named_parameters()}
    hidden = config['text_config']['hidden_size']
    inner = hidden // 2
    for head, outputs in (('progress_head', BINS), ('success_head', 1), ('preference_head', 1)):
        shapes |= {
            f'{head}.0.weight': (inner, hidden),
            f'{head}.0.bias': (inner,),
            f'{head}.1.weight': (inner,),
            f'{head}.1.bias': (inner,),
            f'{head}.4.weight': (outputs, inner),
            f'{head}.4.bias': (outputs,),
        }
    return {**shapes, 'frame_pool_attn.weight': (1, hidden)}


def _weights(shapes: dict[str, tuple[int, ...]], seed: int) -> dict[str, torch.Tensor]:
    random = np.random.default_rng(seed)
    weights = {}
    for name in sorted(shapes):
        parts = name.split('.')
        if 'norm' in parts[-2] or 'head.1.' in name:
            value = np.full(shapes[name], float(parts[-1] == 'weight'))
        else:
            value = random.standard_normal(shapes[name]) * STD
        weights[name] = torch.from_numpy(value.astype(np.float32))
    return weights
