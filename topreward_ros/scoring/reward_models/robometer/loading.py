# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Loads a Robometer, as its authors publish it or as LeRobot saves it.

The authors' weights have the names of Qwen3-VL's, with heads beside them; LeRobot's have `model.`
before those, and a config.json of their own with Qwen3-VL's under `vlm_config`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from topreward_ros.errors import ModelError, one_line

from ...engine.prompt import PromptTokens
from ...loading.checkpoint import Checkpoint, WeightForm, load_checkpoint
from ...loading.hub import download, folder_of
from ...loading.model_files import read_config
from ...loading.options import LoadOptions
from ...loading.weight_names import ROBOMETER_HEADS, is_robometer
from .heads import UNUSED, ValueHeads, embedding_rows, read_heads
from .layout import RobometerLayout

BASE_MODEL = 'Qwen/Qwen3-VL-4B-Instruct'  # whose tokenizer is meant where a folder has none
FORMS = {'qwen3_vl', 'qwen3_vl_moe'}
# What LeRobot's configuration may say of how the model is read
EXPECTED = {
    'use_multi_image': True,
    'use_per_frame_progress_token': True,
    'progress_loss_type': 'discrete',
}


@dataclass(frozen=True)
class Robometer:
    """A loaded Robometer: its Qwen3-VL, its heads and its prompt."""

    checkpoint: Checkpoint
    heads: ValueHeads
    layout: RobometerLayout


def load_robometer(options: LoadOptions) -> Robometer:
    """Load a Robometer; ModelError with what is wrong, as `load_checkpoint`."""
    folder = folder_of(options.model)
    config = read_config(folder)
    if not is_robometer(folder):
        raise ModelError(
            f'{options.model} has no heads for progress and success: it is no Robometer; set '
            'reward_model to another one'
        )
    rows, name = embedding_rows(folder)
    checkpoint = load_checkpoint(options, _form(folder, config, rows, name))
    text = checkpoint.model.model.language_model
    weight = text.layers[0].input_layernorm.weight
    heads = read_heads(folder, text.config.hidden_size, weight.dtype, weight.device)
    return Robometer(checkpoint, ValueHeads(heads), RobometerLayout(_tokens(folder, config), rows))


def _form(folder: Path, config: dict[str, Any], rows: int, embedding: str) -> WeightForm:
    """Return how the weights lie in the folder."""
    from transformers import AutoConfig

    for key, expected in EXPECTED.items():
        if config.get(key, expected) != expected:
            raise ModelError(
                f'{folder}: {key} is {config[key]!r:.100}; only {expected!r} is supported'
            )
    inner = config.get('vlm_config') if config.get('type') == 'robometer' else config
    if not isinstance(inner, dict) or inner.get('model_type') not in FORMS:
        raise ModelError(f'{folder} is no Robometer on a Qwen3-VL: its configuration has no such')
    inner = {key: value for key, value in inner.items() if key != 'quantization_config'}
    try:
        made: Any = AutoConfig.for_model(**inner)
    except Exception as error:  # whatever a wrong value leads to
        raise ModelError(f'{folder} has a damaged configuration: {one_line(error)}') from error
    made.text_config.vocab_size = rows  # of the authors, it is from before tokens were added
    is_lerobots = embedding.startswith('model.model.')
    return WeightForm(
        config=made,
        renamed={r'^model\.(model|lm_head)\.': r'\1.'} if is_lerobots else {},
        elsewhere=(*ROBOMETER_HEADS, *UNUSED),
        unused=('lm_head.',),
        has_tokenizer=False,
    )


def _tokens(folder: Path, config: dict[str, Any]) -> PromptTokens:
    """Read the tokenizer of the folder, or of the model that the weights were trained from."""
    if (folder / 'tokenizer.json').is_file():
        return PromptTokens.of(folder)
    base = config.get('base_model_id')
    name = base if isinstance(base, str) and base.count('/') == 1 else BASE_MODEL
    return PromptTokens.of(download(name, ['tokenizer.json'], ModelError))
