# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Prompts, sizes and answers are those of the authors' server (tools/make_lrm_golden.py)."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from topreward_ros.demo.pattern import pattern_frame
from topreward_ros.scoring.engine.chat_model import ChatModel
from topreward_ros.scoring.loading.checkpoint import Checkpoint
from topreward_ros.scoring.reward_models.large_reward_models.pictures import (
    LEAST_PIXELS,
    Pictures,
    picture_size,
)
from topreward_ros.scoring.reward_models.large_reward_models.questions import (
    COMPLETION,
    CONTRAST,
    PROCESS,
)
from topreward_ros.scoring.reward_models.large_reward_models.recompute import (
    RecomputedChatModel,
)

FILE = Path(__file__).parents[1] / 'large_reward_models_golden.json'
GOLDEN = json.loads(FILE.read_text(encoding='utf-8'))
QUESTIONS = {'completion': COMPLETION, 'process': PROCESS, 'contrast': CONTRAST}


@pytest.mark.parametrize('name', QUESTIONS)
@pytest.mark.parametrize('clip', GOLDEN['clips'], ids=lambda clip: str(clip['size']))
@pytest.mark.parametrize('kind', [ChatModel, RecomputedChatModel])
def test_answers_equal_the_authors(
    checkpoint: Checkpoint, kind: type[ChatModel], clip: dict, name: str
) -> None:
    model, question = kind(checkpoint), QUESTIONS[name]
    kept = model.kept_turn()
    pictures = Pictures(model.geometry, steps_back=1)
    rows = {row['frame']: row['log_probs'] for row in clip[name]['rows']}
    assert len(rows) == GOLDEN['frames'] - (name == 'contrast')
    for k in range(GOLDEN['frames']):
        pictures.append(pattern_frame(k / (GOLDEN['frames'] - 1), *clip['size']), k / 2)
        if k not in rows:
            continue
        before = {'completion': [], 'process': [pictures.initial]}.get(name, [pictures.earlier])
        images = [each.encoded(model) for each in (*before, pictures.newest)]
        parts = question.ask(GOLDEN['task'], images)
        log_probs = model.log_probs(parts, question.answers, question.prefix, kept)
        assert log_probs == pytest.approx(rows[k], abs=1e-4)
    given, _ = model.answer_ids(question.answers, question.prefix)
    ids = [token for segment in model._layout.turn(parts, given) for token in segment.ids]
    digest = hashlib.sha256(json.dumps(ids).encode()).hexdigest()
    assert digest == clip[name]['sha256_of_ids']


def test_answers_depend_on_what_is_shown() -> None:
    """Else the comparison above would not tell much."""
    for name in QUESTIONS:
        for clip in GOLDEN['clips']:
            values = [row['log_probs'][0] for row in clip[name]['rows']]
            assert max(values) - min(values) > 0.005


@pytest.mark.parametrize(
    ('shape', 'max_pixels', 'size'),
    [
        ((480, 640), 393_216, (480, 640)),
        ((720, 1280), 393_216, (448, 832)),
        ((64, 64), 393_216, (256, 256)),  # small pictures are enlarged
        ((10, 1000), 393_216, (32, 2560)),
        ((480, 640), 10_000, (64, 96)),  # and no more than is allowed
        ((2, 400), 2048, (32, 64)),
    ],
)
def test_sizes(shape: tuple[int, int], max_pixels: int, size: tuple[int, int]) -> None:
    assert picture_size(*shape, 32, max_pixels) == size
    assert size[0] * size[1] <= max_pixels


@pytest.mark.parametrize('shape', [(7, 900), (48, 64), (240, 320), (333, 517), (1080, 1920)])
def test_sizes_equal_those_of_transformers(shape: tuple[int, int]) -> None:
    qwen2_vl = pytest.importorskip('transformers.models.qwen2_vl.image_processing_qwen2_vl')
    for most in (393_216, 16_777_216):
        expected = qwen2_vl.smart_resize(*shape, 32, LEAST_PIXELS, most)
        assert picture_size(*shape, 32, most) == tuple(expected)
