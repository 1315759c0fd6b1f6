# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Three adapters on one model answer as three models with an adapter merged into each."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from topreward_ros.demo.pattern import pattern_frame
from topreward_ros.errors import ModelError, NoChatError
from topreward_ros.scoring.engine.chat_model import ChatModel
from topreward_ros.scoring.engine.vision_tower import VisionTower
from topreward_ros.scoring.families import load_scorer
from topreward_ros.scoring.loading.checkpoint import load_checkpoint
from topreward_ros.scoring.loading.options import LoadOptions
from topreward_ros.scoring.reward_models.large_reward_models import rewards
from topreward_ros.scoring.reward_models.large_reward_models.adapters import NAMES
from topreward_ros.scoring.reward_models.large_reward_models.rewards import (
    LargeRewardModel,
    QuestionModels,
)
from topreward_ros.scoring.score import Score, Scorer

peft = pytest.importorskip('peft', reason='the extra "lora" is not installed')

TASK = 'Put the block into the cup.'
WEIGHTS, CONFIG = 'adapter_model.safetensors', 'adapter_config.json'
# As published, the adapter of the process question brings its vision tower
TARGETS = {
    'completion': (['q_proj', 'v_proj'], None),
    'progress': (['q_proj', 'down_proj'], ['visual']),
    'contrastive': (['gate_proj', 'o_proj'], None),
}


def write_adapter(checkpoint: Path, folder: Path, name: str, seed: int) -> None:
    torch.manual_seed(seed)
    targets, whole = TARGETS[name]
    config = peft.LoraConfig(
        r=4,
        lora_alpha=8,
        target_modules=targets,
        modules_to_save=whole,
        init_lora_weights=False,
    )
    model = peft.get_peft_model(load_checkpoint(str(checkpoint)).model, config)
    for key, weights in model.named_parameters():
        if 'modules_to_save' in key:
            weights.data += 0.05 * torch.randn_like(weights)
    model.save_pretrained(str(folder))


@pytest.fixture(scope='module')
def written(checkpoint_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp('adapters')
    for seed, name in enumerate(NAMES):
        write_adapter(checkpoint_folder, root / name, name, seed)
    return root


@pytest.fixture
def adapters(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / 'adapters'))


def load(checkpoint: Path, adapters: Path | None, **options: str) -> Scorer:
    adapter = None if adapters is None else str(adapters)
    return load_scorer(
        LoadOptions(
            str(checkpoint),
            'cpu',
            adapter=adapter,
            reward_model='large_reward_model',
            **{'dtype': 'float32', **options},
        )
    )


def scores(scorer: Scorer, frames: int = 6) -> list[Score]:
    episode, made = scorer.start(TASK), []
    for k in range(frames):
        episode.append(pattern_frame(k / 6, 48, 64), k / 2)
        made.append(episode.score())
    return made


def answers(scorer: Scorer, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[float]]]:
    """Return the log-probabilities of the answers to all questions of an episode."""
    given: list[tuple[str, list[float]]] = []
    ask = rewards.answers_about

    def recorded(model, question, *others, **named):
        given.append((question.prefix, ask(model, question, *others, **named)))
        return given[-1][1]

    with monkeypatch.context() as patch:
        patch.setattr(rewards, 'answers_about', recorded)
        scores(scorer)
    return given


def test_answers_are_those_of_merged_models(
    checkpoint_folder: Path, written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    merged = [
        ChatModel(load_checkpoint(LoadOptions(str(checkpoint_folder), adapter=str(written / name))))
        for name in NAMES
    ]
    expected = answers(LargeRewardModel(QuestionModels(*merged)), monkeypatch)
    plain = answers(load(checkpoint_folder, None), monkeypatch)
    scorer = load(checkpoint_folder, written)
    recompute = load(checkpoint_folder, written, scorer='recompute')
    for each in (scorer, scorer, recompute):  # switching leaves nothing behind
        mine = answers(each, monkeypatch)
        assert len(mine) == 6 + 6 + 2
        for (asked, one), (same, other), (_, without) in zip(mine, expected, plain, strict=True):
            assert asked == same
            assert one == pytest.approx(other, abs=1e-4)
            assert max(abs(a - b) for a, b in zip(one, without, strict=True)) > 0.1


def test_a_picture_is_encoded_once_per_vision_tower(
    checkpoint_folder: Path, written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer, encoded = load(checkpoint_folder, written), []
    encode = VisionTower.__call__

    def recorded(tower, patches, rows, columns):
        encoded.append(id(tower))
        return encode(tower, patches, rows, columns)

    monkeypatch.setattr(VisionTower, '__call__', recorded)
    assert scores(scorer, 6)[-1].parts['contrast'] > 0
    assert len(encoded) == 12 and len(set(encoded)) == 2


def test_a_model_with_adapters_among_others(checkpoint_folder: Path, written: Path) -> None:
    scorer = load(checkpoint_folder, written)
    assert scorer.summary.startswith(f'{checkpoint_folder} with adapter {written}: ')
    with pytest.raises(NoChatError):
        scorer.chat_model()
    assert scorer.identity.fingerprint != load(checkpoint_folder, None).identity.fingerprint
    episode = scorer.start(TASK)
    episode.append(pattern_frame(0, 48, 64), 0.0)
    episode.score()
    engines = {model.engine for model in scorer.models}  # of two vision towers
    reserved = [engine.reserved_bytes for engine in engines]
    assert len(engines) == 2 and min(reserved) > 0 and scorer.footprint.caches == sum(reserved)


def test_other_weights_of_one_adapter_are_another_model(
    checkpoint_folder: Path, written: Path, adapters: Path
) -> None:
    file = adapters / 'completion' / WEIGHTS
    save_file({key: 2 * value for key, value in load_file(file).items()}, file)
    one, other = load(checkpoint_folder, written), load(checkpoint_folder, adapters)
    assert one.identity.fingerprint != other.identity.fingerprint


def test_modules_inside_the_vision_tower_may_be_named_beside_it(
    checkpoint_folder: Path, written: Path, adapters: Path
) -> None:
    file = adapters / 'progress' / CONFIG
    config = json.loads(file.read_text(encoding='utf-8'))
    assert config['modules_to_save'] == ['visual']
    file.write_text(json.dumps({**config, 'modules_to_save': ['visual', 'merger']}))
    file = adapters / 'progress' / WEIGHTS
    weights = load_file(file)
    merger = [key for key in weights if '.merger.' in key]
    again = {key.replace('.merger.', '.merger.again.'): weights[key].clone() for key in merger}
    save_file({**again, **weights}, file, metadata={'format': 'pt'})
    mine, theirs = (scores(load(checkpoint_folder, each), 2)[-1] for each in (adapters, written))
    assert mine == theirs


def test_one_adapter_answers_all_questions(checkpoint_folder: Path, written: Path) -> None:
    scorer = load(checkpoint_folder, written / 'completion')
    assert isinstance(scorer.chat_model(), ChatModel)


def change(folder: Path, rule) -> None:
    weights = dict(rule(*item) for item in load_file(folder / WEIGHTS).items())
    save_file(weights, folder / WEIGHTS, metadata={'format': 'pt'})


@pytest.mark.parametrize(
    ('name', 'rule', 'reason'),
    [
        ('completion', lambda k, v: (k.replace('layers.1.', 'layers.91.'), v), 'made for another'),
        ('contrastive', lambda k, v: (k, torch.cat([v, v])), 'does not fit'),
        ('progress', lambda k, v: (k.replace('merger.norm', 'merger.other'), v), 'made for'),
        ('progress', lambda k, v: (k.replace('.visual.', '.lm_head.'), v), 'as a whole'),
        ('completion', lambda k, v: (k.replace('language_model', 'visual'), v), 'as a whole'),
    ],
)
def test_adapters_that_do_not_fit(
    checkpoint_folder: Path, adapters: Path, name: str, rule, reason: str
) -> None:
    change(adapters / name, rule)
    with pytest.raises(ModelError, match=reason):
        load(checkpoint_folder, adapters)


@pytest.mark.parametrize('part', ['lora_B', '.visual.merger.'])
def test_incomplete_adapters(checkpoint_folder: Path, adapters: Path, part: str) -> None:
    file = adapters / 'progress' / WEIGHTS
    weights = load_file(file)
    del weights[next(key for key in weights if part in key)]
    save_file(weights, file, metadata={'format': 'pt'})
    with pytest.raises(ModelError, match=r'1 weights of the adapter|does not fit'):
        load(checkpoint_folder, adapters)


def test_missing_and_unsuitable(checkpoint_folder: Path, adapters: Path) -> None:
    with pytest.raises(ModelError, match='float8'):
        load(checkpoint_folder, adapters, dtype='float8')
    shutil.rmtree(adapters / 'contrastive')
    with pytest.raises(ModelError, match='no folder contrastive'):
        load(checkpoint_folder, adapters)
    for name in ('completion', 'progress'):
        shutil.rmtree(adapters / name)
    with pytest.raises(ModelError, match='adapter_config'):
        load(checkpoint_folder, adapters)
