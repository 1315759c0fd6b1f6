# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A merged LoRA adapter scores like peft's own model with the adapter attached."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from topreward_ros.errors import ModelError
from topreward_ros.scoring.loading.checkpoint import Checkpoint, load_checkpoint
from topreward_ros.scoring.loading.options import LoadOptions
from topreward_ros.scoring.reward_models.topreward.recompute import RecomputeScorer
from topreward_ros.scoring.reward_models.topreward.streaming import StreamingScorer

from .test_streaming import TASKS, TOLERANCE, worst_difference

pytest.importorskip('peft', reason='the extra "lora" is not installed')

WEIGHTS = 'adapter_model.safetensors'


@pytest.fixture(scope='module')
def trained(
    checkpoint_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Checkpoint]:
    """Return the folder of an adapter for both towers, and peft's model it was saved from."""
    import peft

    torch.manual_seed(0)
    layers = ['q_proj', 'v_proj', 'down_proj', 'qkv']
    config = peft.LoraConfig(
        r=4,
        lora_alpha=8,
        target_modules=layers,
        modules_to_save=['patch_embed'],  # published adapters contain parts of the vision tower
        init_lora_weights=False,
    )
    model = peft.get_peft_model(load_checkpoint(str(checkpoint_folder)).model, config).eval()
    for name, weights in model.named_parameters():
        if 'modules_to_save' in name:
            weights.data += 0.05 * torch.randn_like(weights)
    folder = tmp_path_factory.mktemp('adapters') / 'random'
    model.save_pretrained(str(folder))
    return folder, Checkpoint(LoadOptions('peft'), checkpoint_folder, model.get_base_model(), 0.0)


@pytest.fixture
def adapter(trained: tuple[Path, Checkpoint], tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained[0], tmp_path / 'adapter'))


def load(folder: Path, adapter: Path) -> Checkpoint:
    return load_checkpoint(LoadOptions(str(folder), adapter=str(adapter)))


def test_scores_are_those_of_peft(
    checkpoint: Checkpoint, checkpoint_folder: Path, trained: tuple[Path, Checkpoint]
) -> None:
    merged = load(checkpoint_folder, trained[0])
    assert f'{checkpoint_folder} with adapter {trained[0]}: ' in merged.summary()
    assert not merged.model.training and merged.is_plain
    assert not any(parameter.requires_grad for parameter in merged.model.parameters())
    assert not any('lora' in name for name, _ in merged.model.named_modules())
    stream = StreamingScorer(merged).start(TASKS[0])
    with_adapter = RecomputeScorer(trained[1]).start(TASKS[0])
    assert worst_difference(stream, with_adapter, (64, 64), 5) <= TOLERANCE
    stream = StreamingScorer(merged).start(TASKS[0])
    bare = StreamingScorer(checkpoint).start(TASKS[0])
    assert worst_difference(stream, bare, (64, 64), 5) > 0.1


def change(adapter: Path, rule) -> None:
    weights = dict(rule(*item) for item in load_file(adapter / WEIGHTS).items())
    save_file(weights, adapter / WEIGHTS, metadata={'format': 'pt'})


def test_an_adapter_of_other_shapes(checkpoint_folder: Path, adapter: Path) -> None:
    change(adapter, lambda key, value: (key, torch.cat([value, value])))
    with pytest.raises(ModelError, match='does not fit the model'):
        load(checkpoint_folder, adapter)


def test_an_adapter_of_other_layers_is_not_left_out(checkpoint_folder: Path, adapter: Path) -> None:
    change(adapter, lambda key, value: (key.replace('layers.1.', 'layers.91.'), value))
    with pytest.raises(ModelError, match='made for another'):
        load(checkpoint_folder, adapter)


def test_whole_modules_are_not_left_out(checkpoint_folder: Path, adapter: Path) -> None:
    change(adapter, lambda key, value: (key.replace('patch_embed', 'patches'), value))
    with pytest.raises(ModelError, match='does not fit the model'):
        load(checkpoint_folder, adapter)


@pytest.mark.parametrize('part', ['patch_embed', 'lora_B', 'layers.1.self_attn.q_proj.lora_A'])
def test_weights_that_the_file_lacks(checkpoint_folder: Path, adapter: Path, part: str) -> None:
    """Of whole modules, too, which peft does not report."""
    kept = {key: value for key, value in load_file(adapter / WEIGHTS).items() if part not in key}
    save_file(kept, adapter / WEIGHTS, metadata={'format': 'pt'})
    with pytest.raises(ModelError, match=rf'weights.*{part}'):
        load(checkpoint_folder, adapter)


@pytest.mark.parametrize('which', ['lora_B', 'lora_A', 'patch_embed'])
@pytest.mark.parametrize('left', ['zero', 'meta', 'nearly'])
def test_weights_that_peft_left_out_are_noticed(
    checkpoint_folder: Path,
    adapter: Path,
    monkeypatch: pytest.MonkeyPatch,
    which: str,
    left: str,
) -> None:
    """As where a model was dispatched: peft reports that all were loaded, and one was not."""
    import peft

    load_adapter = peft.PeftModel.load_adapter

    def leaving_out(self: peft.PeftModel, *arguments: object, **options: object) -> object:
        result = load_adapter(self, *arguments, **options)  # type: ignore[arg-type]
        parents = dict(self.named_modules())
        name = next(
            name
            for name, _ in self.named_parameters()
            if which in name and ('lora_' in name or 'modules_to_save' in name)
        )
        parent, _, own = name.rpartition('.')
        value = getattr(parents[parent], own).data
        value = {
            'zero': torch.zeros_like(value),
            'meta': value.to('meta'),
            'nearly': value * (1 + 1e-3),
        }[left]
        setattr(parents[parent], own, torch.nn.Parameter(value, requires_grad=False))
        return result

    monkeypatch.setattr(peft.PeftModel, 'load_adapter', leaving_out)
    with pytest.raises(ModelError, match=rf'1 weights of the adapter .*not loaded, .*{which}'):
        load(checkpoint_folder, adapter)


def test_a_dtype_of_the_model_rounds_what_is_loaded(checkpoint_folder: Path, adapter: Path) -> None:
    options = LoadOptions(str(checkpoint_folder), dtype='bfloat16', adapter=str(adapter))
    assert load_checkpoint(options).weights == 'bfloat16'


def test_layers_that_the_model_does_not_have(checkpoint_folder: Path, adapter: Path) -> None:
    config = json.loads((adapter / 'adapter_config.json').read_text())
    config['target_modules'] = ['c_attn']
    (adapter / 'adapter_config.json').write_text(json.dumps(config))
    with pytest.raises(ModelError, match='does not fit the model'):
        load(checkpoint_folder, adapter)


def test_nan_weights_are_an_error(checkpoint_folder: Path, adapter: Path) -> None:
    change(adapter, lambda key, value: (key, value * float('nan')))
    with pytest.raises(ModelError, match='does not fit the model, or is damaged'):
        load(checkpoint_folder, adapter)


def test_truncated_weights(checkpoint_folder: Path, adapter: Path) -> None:
    (adapter / WEIGHTS).write_bytes((adapter / WEIGHTS).read_bytes()[:1000])
    with pytest.raises(ModelError, match='damaged'):
        load(checkpoint_folder, adapter)


def test_pickled_weights_are_not_loaded(checkpoint_folder: Path, adapter: Path) -> None:
    torch.save(load_file(adapter / WEIGHTS), adapter / 'adapter_model.bin')
    (adapter / WEIGHTS).unlink()
    with pytest.raises(ModelError, match='can run code'):
        load(checkpoint_folder, adapter)


@pytest.mark.parametrize('content', ['{"peft_type": "PREFIX_TUNING"}', '{}', '[]', 'no json'])
def test_adapters_of_another_kind(checkpoint_folder: Path, adapter: Path, content: str) -> None:
    (adapter / 'adapter_config.json').write_text(content)
    with pytest.raises(ModelError, match=r'expected LORA|does not describe|is damaged'):
        load(checkpoint_folder, adapter)


def test_a_model_is_not_an_adapter(checkpoint_folder: Path) -> None:
    with pytest.raises(ModelError, match='has no adapter_config'):
        load(checkpoint_folder, checkpoint_folder)
    with pytest.raises(ModelError, match='is not a folder'):
        load(checkpoint_folder, Path('/no/such/adapter'))


def test_without_peft(
    checkpoint_folder: Path, adapter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, 'find_spec', lambda name, *more: None if name == 'peft' else find(name)
    )
    with pytest.raises(ModelError, match=r"pip install 'topreward_ros\[lora\]'"):
        load(checkpoint_folder, adapter)


def test_quantised_weights_cannot_have_an_adapter() -> None:
    with pytest.raises(ValueError, match='cannot be merged into weights in 4bit'):
        LoadOptions('model', quantization='4bit', adapter='somebody/adapter')
