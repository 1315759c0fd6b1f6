# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A checkpoint of one kind asked for as another, and heads that are damaged: one line each."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from topreward_ros.demo.random_robometer import AUTHORS, write_random_robometer
from topreward_ros.errors import ModelError
from topreward_ros.scoring.families import REWARD_MODELS, load_scorer
from topreward_ros.scoring.loading.options import LoadOptions

Weights = dict[str, torch.Tensor]


@pytest.fixture(scope='module')
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('robometer') / 'whole'
    write_random_robometer(folder)
    return folder


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / 'copy'))


def drop(name: str) -> Callable[[Weights], None]:
    def change(weights: Weights) -> None:
        for key in [*weights]:
            if key.startswith(name):
                del weights[key]

    return change


def resize(name: str, *shape: int) -> Callable[[Weights], None]:
    return lambda weights: weights.update({name: torch.zeros(*shape)})


def more_rows(weights: Weights) -> None:
    for name in ('model.model.language_model.embed_tokens.weight', 'model.lm_head.weight'):
        weights[name] = torch.zeros(400, 64)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (drop('progress_head.4.bias'), 'lacks progress_head.4.bias: expected the heads'),
        (drop('success_head'), 'lacks success_head.0.weight'),
        (resize('progress_head.0.weight', 16, 64), r'shape \(16, 64\); the model needs \(32, 64\)'),
        (resize('progress_head.4.weight', 1, 32), r'the model needs \(2, 32\)'),
        (resize('success_head.4.weight', 2, 32), r'the model needs \(1, 32\)'),
        (drop('model.model.language_model.layers.1.mlp'), 'lacks 3 of the weights'),
        (drop('model.model.language_model.embed_tokens'), 'no token embeddings'),
        (
            resize('model.model.language_model.layers.9.mlp.up_proj.weight', 4, 4),
            'belong to another model',
        ),
        (
            more_rows,
            r'<\|split_token\|> is token 387 by the tokenizer and 395 by the weights',
        ),
    ],
)
def test_weights_that_do_not_fit(
    copy: Path, change: Callable[[Weights], None], message: str
) -> None:
    weights = load_file(copy / 'model.safetensors')
    change(weights)
    save_file(weights, copy / 'model.safetensors', metadata={'format': 'pt'})
    with pytest.raises(ModelError, match=message) as caught:
        load_scorer(LoadOptions(str(copy), 'cpu'))
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
    ('key', 'value', 'message'),
    [
        ('progress_loss_type', 'l2', "progress_loss_type is 'l2'; only 'discrete' is supported"),
        ('use_multi_image', False, 'use_multi_image is False'),
        ('use_per_frame_progress_token', False, 'use_per_frame_progress_token is False'),
        ('vlm_config', {'model_type': 'llama'}, 'no Robometer on a Qwen3-VL'),
        ('vlm_config', [], 'no Robometer on a Qwen3-VL'),
        ('vlm_config', {'model_type': 'qwen3_vl', 'text_config': 3}, 'damaged'),
    ],
)
def test_configurations_that_are_not_read(copy: Path, key: str, value: Any, message: str) -> None:
    config = json.loads((copy / 'config.json').read_text())
    (copy / 'config.json').write_text(json.dumps({**config, key: value}))
    with pytest.raises(ModelError, match=message):
        load_scorer(LoadOptions(str(copy), 'cpu'))


def test_a_tokenizer_with_other_places_for_the_added_tokens(copy: Path) -> None:
    file = copy / 'tokenizer.json'
    text = (
        file.read_text()
        .replace('<|prog_token|>', '<|x|>')
        .replace('<|sim_token|>', '<|prog_token|>')
    )
    file.write_text(text)
    with pytest.raises(ModelError, match='belong to different models'):
        load_scorer(LoadOptions(str(copy), 'cpu'))


def test_a_folder_without_tokenizer_takes_that_of_its_base(tmp_path: Path) -> None:
    """Which cannot be had here: the hub is told, not a missing file."""
    folder = tmp_path / 'authors'
    write_random_robometer(folder, layout=AUTHORS)
    (folder / 'tokenizer.json').unlink()
    with pytest.raises(ModelError, match=r"'Qwen/Qwen3-VL-4B-Instruct' .*hub"):
        load_scorer(LoadOptions(str(folder), 'cpu'))


def test_a_stock_model_asked_for_as_robometer(checkpoint_folder: Path) -> None:
    with pytest.raises(ModelError, match='no heads for progress and success: it is no Robometer'):
        load_scorer(LoadOptions(str(checkpoint_folder), 'cpu', reward_model='robometer'))


@pytest.mark.parametrize('reward_model', sorted(REWARD_MODELS))
def test_other_families_have_no_other_reward_models(
    checkpoint_folder: Path, tmp_path: Path, reward_model: str
) -> None:
    folder = Path(shutil.copytree(checkpoint_folder, tmp_path / 'other'))
    config = json.loads((folder / 'config.json').read_text())
    (folder / 'config.json').write_text(json.dumps({**config, 'model_type': 'llama'}))
    with pytest.raises(ModelError):
        load_scorer(LoadOptions(str(folder), 'cpu', reward_model=reward_model))


def test_a_name_that_nobody_knows() -> None:
    with pytest.raises(ValueError, match="reward_model is 'vlac'; expected one of auto, topreward"):
        LoadOptions('x', reward_model='vlac')
