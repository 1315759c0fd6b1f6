# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file

from topreward_ros.errors import ModelError
from topreward_ros.scoring.engine.geometry import geometry_of
from topreward_ros.scoring.engine.qwen3_vl import engine_of
from topreward_ros.scoring.families import load_scorer, maker_of
from topreward_ros.scoring.loading.checkpoint import Checkpoint, load_checkpoint
from topreward_ros.scoring.loading.options import LoadOptions
from topreward_ros.scoring.other_models import processor_model
from topreward_ros.scoring.reward_models.topreward.recompute import RecomputeScorer
from topreward_ros.scoring.reward_models.topreward.streaming import StreamingScorer

from .test_streaming import TASKS, TOLERANCE, worst_difference


@pytest.fixture
def copy(checkpoint_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(checkpoint_folder, tmp_path / 'copy'))


def test_the_summary_describes_what_was_loaded(checkpoint: Checkpoint, device: str) -> None:
    assert checkpoint.family == 'qwen3_vl'
    assert isinstance(load_scorer(str(checkpoint.folder)), StreamingScorer)
    assert checkpoint.bytes > 1e6
    expected = {'cuda': 'cuda:0'}.get(device, device)
    assert f'on {expected} as float32, loaded in' in checkpoint.summary()
    assert not checkpoint.model.training


@pytest.mark.parametrize(
    ('name', 'reason'),
    [
        ('', 'no model is named'),
        ('/no/such/folder', 'is not a folder'),
        ('./none', 'is not a folder'),
        ('just-a-word', 'is not a folder'),
        ('nobody/no-such-model', 'hub'),
        ('bad id/with space', 'not an id'),
    ],
)
def test_models_that_do_not_exist(name: str, reason: str) -> None:
    with pytest.raises(ModelError, match=reason):
        load_checkpoint(name)


def test_a_model_of_small_frames_is_not_given_large_ones(copy: Path) -> None:
    assert geometry_of(load_checkpoint(str(copy))).max_pixels == 393_216
    large = LoadOptions(str(copy), max_pixels=10**6)
    assert geometry_of(load_checkpoint(large)).max_pixels == 10**6
    file = copy / 'video_preprocessor_config.json'
    config = json.loads(file.read_text())
    config['size']['longest_edge'] = 64 * 9216
    file.write_text(json.dumps(config))
    geometry = geometry_of(load_checkpoint(large))
    assert geometry.max_pixels == 9216 and geometry.fit_size(480, 480) == (96, 96)


def test_a_model_keeps_the_fit_that_it_was_trained_with(copy: Path) -> None:
    assert geometry_of(load_checkpoint(str(copy))).frame_fit == 'paper'
    aspect = LoadOptions(str(copy), frame_fit='aspect')
    assert geometry_of(load_checkpoint(aspect)).frame_fit == 'aspect'
    file = copy / 'video_preprocessor_config.json'
    config = json.loads(file.read_text())
    for own, given in (('aspect', 'paper'), ('paper', 'aspect')):
        file.write_text(json.dumps({**config, 'frame_fit': own}))
        options = LoadOptions(str(copy), frame_fit=given)
        assert geometry_of(load_checkpoint(options)).frame_fit == own
    for wrong in ('square', 3, None, ['paper']):
        file.write_text(json.dumps({**config, 'frame_fit': wrong}))
        with pytest.raises(ModelError, match=r'frame_fit is .*; expected one of paper, aspect'):
            geometry_of(load_checkpoint(str(copy)))


def test_folder_without_weights(copy: Path) -> None:
    (copy / 'model.safetensors').rename(copy / 'pytorch_model.bin')
    with pytest.raises(ModelError, match='no weights'):
        load_checkpoint(str(copy))


@pytest.mark.parametrize('file', ['config.json', 'tokenizer.json'])
def test_folder_without_a_file(copy: Path, file: str) -> None:
    (copy / file).unlink()
    with pytest.raises(ModelError, match=file):
        load_checkpoint(str(copy))


def test_truncated_weights(copy: Path) -> None:
    weights = copy / 'model.safetensors'
    weights.write_bytes(weights.read_bytes()[:10_000])
    with pytest.raises(ModelError, match='could not be loaded'):
        load_checkpoint(str(copy))


def test_missing_weights_are_never_made_up(copy: Path) -> None:
    weights = load_file(copy / 'model.safetensors')
    del weights['model.language_model.layers.2.mlp.up_proj.weight']
    save_file(weights, copy / 'model.safetensors', metadata={'format': 'pt'})
    with pytest.raises(ModelError, match=r'lacks 1 of the weights, .*layers\.2\.mlp\.up_proj'):
        load_checkpoint(str(copy))


def test_unknown_kind_of_model(copy: Path) -> None:
    (copy / 'config.json').write_text(json.dumps({'model_type': 'no_such_kind'}))
    with pytest.raises(ModelError, match='could not be loaded'):
        load_checkpoint(str(copy))


@pytest.mark.parametrize('name', ['auto', 'topreward'])
def test_topreward_can_be_asked_of_other_families(copy: Path, name: str) -> None:
    """By its name, too: through the processor of the family."""
    (copy / 'config.json').write_text(json.dumps({'model_type': 'qwen2_5_vl'}))
    made = maker_of(LoadOptions(str(copy), reward_model=name))
    assert made is processor_model.make_scorer


def test_other_reward_models_cannot() -> None:
    """And the error says what can."""
    other = SimpleNamespace(family='qwen2_5_vl', name='a model')
    with pytest.raises(ModelError, match=r'a qwen2_5_vl; .* Set reward_model to "topreward"'):
        engine_of(other)


def test_remote_code_is_not_run(copy: Path) -> None:
    config = json.loads((copy / 'config.json').read_text())
    config['model_type'] = 'custom'
    config['auto_map'] = {'AutoConfig': 'evil.Config', 'AutoModelForImageTextToText': 'evil.Model'}
    (copy / 'config.json').write_text(json.dumps(config))
    (copy / 'evil.py').write_text(f'open({str(copy / "ran")!r}, "w")')
    with pytest.raises(ModelError):
        load_checkpoint(str(copy))
    assert not (copy / 'ran').exists()


def test_tokenizer_of_another_family(copy: Path) -> None:
    tokenizer = json.loads((copy / 'tokenizer.json').read_text())
    tokenizer['added_tokens'] = tokenizer['added_tokens'][:2]
    (copy / 'tokenizer.json').write_text(json.dumps(tokenizer))
    with pytest.raises(ModelError, match='is not the tokenizer of a Qwen3-VL'):
        StreamingScorer(load_checkpoint(str(copy)))


@pytest.mark.skipif(torch.cuda.is_available(), reason='needs a machine without a GPU')
def test_a_gpu_that_is_not_available(checkpoint_folder: Path) -> None:
    with pytest.raises(ModelError, match=r'device .*cuda.* cannot be used here'):
        load_checkpoint(LoadOptions(str(checkpoint_folder), device='cuda'))


def test_quantization_without_its_libraries(checkpoint_folder: Path) -> None:
    with pytest.raises(ModelError, match='quantization 4bit needs'):
        load_checkpoint(LoadOptions(str(checkpoint_folder), device='cpu', quantization='4bit'))


@pytest.mark.parametrize('bad', [{'dtype': 'int3'}, {'quantization': '2bit'}])
def test_options_that_do_not_exist(bad: dict) -> None:
    with pytest.raises(ValueError, match='expected'):
        LoadOptions('model', **bad)


def test_attention_that_does_not_exist(checkpoint_folder: Path) -> None:
    with pytest.raises(ModelError, match='could not be loaded'):
        load_checkpoint(LoadOptions(str(checkpoint_folder), attention='telepathy'))


def test_bfloat16_scores_are_near_and_not_in_steps(checkpoint_folder: Path) -> None:
    half = load_checkpoint(LoadOptions(str(checkpoint_folder), dtype='bfloat16'))
    assert 'bfloat16' in half.summary()
    stream = StreamingScorer(half).start(TASKS[0])
    full = StreamingScorer(load_checkpoint(str(checkpoint_folder))).start(TASKS[0])
    assert 0 < worst_difference(stream, full, (64, 64), 6) < 0.5
    # float32 log-softmax: more precision than bfloat16 has
    score = torch.tensor(stream.score().log_prob)
    assert score != score.to(torch.bfloat16).float()


def test_mixture_of_experts(checkpoint_folder: Path, tmp_path: Path) -> None:
    from transformers import Qwen3VLMoeConfig, Qwen3VLMoeForConditionalGeneration

    folder = Path(shutil.copytree(checkpoint_folder, tmp_path / 'experts'))
    config = json.loads((folder / 'config.json').read_text())
    config['architectures'] = ['Qwen3VLMoeForConditionalGeneration']
    config['model_type'] = config['vision_config']['model_type'] = 'qwen3_vl_moe'
    config['text_config'] |= {
        'model_type': 'qwen3_vl_moe_text',
        'num_experts': 4,
        'num_experts_per_tok': 2,
        'moe_intermediate_size': 64,
        'decoder_sparse_step': 1,
    }
    torch.manual_seed(0)
    model = Qwen3VLMoeForConditionalGeneration(Qwen3VLMoeConfig.from_dict(config))
    model.apply(lambda m: [p.data.normal_(0, 0.1) for p in m.parameters(recurse=False)])
    model.save_pretrained(folder)
    (folder / 'config.json').write_text(json.dumps(config))
    experts = load_checkpoint(str(folder))
    assert experts.family == 'qwen3_vl_moe'
    assert isinstance(load_scorer(str(folder)), StreamingScorer)
    stream = StreamingScorer(experts).start(TASKS[0])
    recompute = RecomputeScorer(experts).start(TASKS[0])
    assert worst_difference(stream, recompute, (64, 64), 9) <= TOLERANCE
