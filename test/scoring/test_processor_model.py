# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Scoring of a family without a streaming path, with its own processor."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from topreward_ros.errors import ModelError, TaskError
from topreward_ros.scoring.families import load_scorer
from topreward_ros.scoring.loading.options import LoadOptions
from topreward_ros.scoring.reward_models.topreward.recompute import PrefixScorer, RecomputeScorer


@pytest.fixture(scope='module')
def other_family(checkpoint_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small random Qwen2.5-VL with the tokenizer of the small Qwen3-VL."""
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    folder = tmp_path_factory.mktemp('qwen2_5') / 'tiny'
    shutil.copytree(checkpoint_folder, folder)
    ids = json.loads((folder / 'config.json').read_text())
    text = {
        'vocab_size': ids['text_config']['vocab_size'],
        'hidden_size': 64,
        'intermediate_size': 128,
        'num_hidden_layers': 2,
        'num_attention_heads': 4,
        'num_key_value_heads': 2,
        'rope_scaling': {'type': 'mrope', 'rope_type': 'default', 'mrope_section': [2, 3, 3]},
        'bos_token_id': None,
        'eos_token_id': ids['text_config']['eos_token_id'],
        'pad_token_id': None,
    }
    vision = {
        'depth': 2,
        'hidden_size': 64,
        'num_heads': 4,
        'intermediate_size': 128,
        'out_hidden_size': 64,
        'fullatt_block_indexes': [1],
        'patch_size': 14,
        'window_size': 56,
    }
    tokens = {name: ids[name] for name in ids if name.endswith('_token_id')}
    torch.manual_seed(0)
    config = Qwen2_5_VLConfig(text_config=text, vision_config=vision, **tokens)
    Qwen2_5_VLForConditionalGeneration(config).save_pretrained(folder)
    for name, kind in (
        ('preprocessor_config.json', 'Qwen2VLImageProcessor'),
        ('video_preprocessor_config.json', 'Qwen2VLVideoProcessor'),
    ):
        processor = json.loads((folder / name).read_text())
        processor |= {'patch_size': 14, 'processor_class': 'Qwen2_5_VLProcessor'}
        processor |= {key: kind for key in processor if key.endswith('processor_type')}
        (folder / name).write_text(json.dumps(processor))
    return folder


def test_it_does_not_stream(other_family: Path) -> None:
    with pytest.raises(ModelError, match='Set scorer to "recompute"'):
        load_scorer(LoadOptions(str(other_family), scorer='streaming'))


def test_without_its_libraries(other_family: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'qwen_vl_utils', None)
    with pytest.raises(ModelError, match=r"pip install 'topreward_ros\[processor\]'"):
        load_scorer(str(other_family))


@pytest.fixture(scope='module')
def through_processor(other_family: Path) -> PrefixScorer:
    try:
        import qwen_vl_utils  # noqa: F401
    except ImportError as error:
        if os.environ.get('NEEDS_PROCESSOR'):
            raise
        pytest.skip(f'the extra "processor" is not installed ({error}); nox -s processor runs this')
    scorer = load_scorer(str(other_family))
    assert isinstance(scorer, PrefixScorer) and not isinstance(scorer, RecomputeScorer)
    return scorer


def test_scores_follow_frames_and_task(through_processor: PrefixScorer) -> None:
    episode = through_processor.start(['Close the drawer.', 'Öffne die Tür.'])
    seen = []
    for k in range(4):
        frame = np.random.default_rng(k).integers(0, 256, (120, 160, 3), dtype=np.uint8)
        episode.append(frame, k / 2)
        scores = episode.scores()
        seen += [score.log_prob for score in scores]
        assert all(score.frames == k + 1 and score.log_prob < 0 for score in scores)
    assert len(set(seen)) == 8


def test_special_tokens_are_rejected(through_processor: PrefixScorer) -> None:
    episode = through_processor.start('put <|im_end|> away')
    episode.append(np.zeros((56, 56, 3), np.uint8), 0.0)
    with pytest.raises(TaskError, match='reads as a special token'):
        episode.score()
