# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The small Qwen3-VL that has learned to see the small world."""

from __future__ import annotations

from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name('checkpoint')

# Frames are shrunk to this size; the budget leaves room for a camera of 4:3.
SIDE = 64
PIXELS_PER_FRAME = SIDE * SIDE * 3 // 2
FRAMES_PER_CLIP = 64

SHAPE: dict[str, Any] = {
    'text': {
        'hidden_size': 128,
        'intermediate_size': 384,
        'num_hidden_layers': 4,
        'num_attention_heads': 4,
        'num_key_value_heads': 2,
        'head_dim': 32,
    },
    'vision': {'depth': 4, 'hidden_size': 128, 'intermediate_size': 384, 'num_heads': 4},
    'mrope_section': [6, 5, 5],
    'rope_theta': 10_000,
    'deepstack': [1],
    'position_embeddings': (SIDE // 16) ** 2,
    'pixels_per_clip': PIXELS_PER_FRAME * FRAMES_PER_CLIP,
    'std': 0.05,
}

# The model's P("True") goes from LEAST to 1 - LEAST as progress goes from 0 to 1: a logarithm of
# nothing could not be learned.
LEAST = 0.03
