# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The demo's models: small Qwen3-VLs trained on the small world.

One is asked TOPReward's question and the three of Large Reward Models, and two are Robometers, the
second of the simulated arms.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from topreward_ros.scoring.frame_fits import CLIP_FRAMES

FOLDER = Path(__file__).with_name('checkpoint')
FOLDER_ROBOMETER = Path(__file__).with_name('robometer')
FOLDER_ARMS = Path(__file__).with_name('arms')  # a Robometer of the arms in examples/arm_sim

# Frames are shrunk to this size; the pixel budget allows for a 4:3 camera.
SIDE = 64
PATCH, MERGE = 8, 2
CELL = PATCH * MERGE  # a token for each 16 x 16 pixels, as few of them show two objects
PIXELS_PER_FRAME = SIDE * SIDE * 3 // 2

SHAPE: dict[str, Any] = {
    'text': {
        'hidden_size': 128,
        'intermediate_size': 384,
        'num_hidden_layers': 5,
        'num_attention_heads': 4,
        'num_key_value_heads': 2,
        'head_dim': 32,
    },
    'vision': {'depth': 4, 'hidden_size': 128, 'intermediate_size': 384, 'num_heads': 4},
    'mrope_section': [6, 5, 5],
    'rope_theta': 10_000,
    'deepstack': [1],
    'patch': PATCH,
    'merge': MERGE,
    'position_embeddings': (SIDE // PATCH) ** 2,
    'pixels_per_clip': PIXELS_PER_FRAME * CLIP_FRAMES,
    'frame_fit': 'paper',  # all frames are squashed to squares, as those of the training were
    'std': 0.05,
}
SHAPE_ROBOMETER = {**SHAPE, 'frame_fit': 'aspect'}  # a Robometer never squashes its pictures

# The training target P("True") at progress 0 and 1; log 0 could not be learned.
P_TRUE_MIN, P_TRUE_MAX = 0.03, 0.99

# Reward node parameters for the model that is asked a question. The threshold, log 0.9, is between
# a block held over its target and one that has been released there.
SETTINGS: dict[str, Any] = {
    'normalization': 'probability',
    'success_threshold': -0.105,
    'success_window': 3,
    'success_hold': 2,
}
# Of the others' own probability of success, which is nearly 0 until then
PROBABILITY_THRESHOLD = -0.693  # log 0.5


def settings_for(reward_model: str | None) -> dict[str, Any]:
    """Return the reward node's parameters for the model of `folder_for`."""
    if reward_model in ('robometer', 'large_reward_model'):
        return {**SETTINGS, 'success_threshold': PROBABILITY_THRESHOLD}
    return dict(SETTINGS)


def folder_for(reward_model: str | None) -> Path:
    """Return the folder of the model that was trained for a reward model; None: not chosen."""
    return FOLDER_ROBOMETER if reward_model == 'robometer' else FOLDER
