# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Writes a trained Robometer in LeRobot's layout."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file


def write_robometer(folder: Path, model: Any, heads: Mapping[str, torch.Tensor]) -> None:
    """Write weights and configuration; the folder has the other files of the Qwen3-VL.

    heads: by name. Heads for pairs of recordings, which nothing here reads, are written as zeros,
    as LeRobot expects them. Weights are float16.
    """
    config = json.loads((folder / 'config.json').read_text(encoding='utf-8'))
    tensors = {f'model.{name}': weight for name, weight in model.named_parameters()}
    hidden = config['text_config']['hidden_size']
    for name, weight in heads.items():
        tensors[name] = weight
        if name.startswith('success_head'):
            unused = name.replace('success_head', 'preference_head')
            tensors[unused] = torch.zeros_like(weight)
    tensors['frame_pool_attn.weight'] = torch.zeros(1, hidden)
    halves = {name: weight.detach().half().contiguous() for name, weight in tensors.items()}
    save_file(halves, folder / 'model.safetensors', metadata={'format': 'pt'})
    described = {'type': 'robometer', 'vlm_config': config}
    (folder / 'config.json').write_text(json.dumps(described, indent=2), encoding='utf-8')
