# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Chat turns with images equal those of transformers: ids, positions and the forward."""

from __future__ import annotations

import inspect
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from topreward_ros.errors import ModelError
from topreward_ros.scoring.engine.chat_model import ChatModel
from topreward_ros.scoring.engine.chat_prompt import ChatLayout, Part
from topreward_ros.scoring.engine.full_precision import full_precision
from topreward_ros.scoring.engine.generation import generate
from topreward_ros.scoring.engine.geometry import geometry_of
from topreward_ros.scoring.engine.prompt import PromptTokens, Segment, count_tokens
from topreward_ros.scoring.engine.qwen3_vl import Engine, engine_of
from topreward_ros.scoring.engine.video import stacked
from topreward_ros.scoring.loading.checkpoint import Checkpoint
from topreward_ros.scoring.reward_models.topreward.streaming import StreamingScorer

TOLERANCE = 1e-4  # [nat], float32


def image(seed: int, height: int = 64, width: int = 96) -> torch.Tensor:
    random = np.random.default_rng(seed)
    return torch.from_numpy(random.integers(0, 256, (height, width, 3), dtype=np.uint8))


TURNS: dict[str, list[Part]] = {
    'text': ['Say something.'],
    'image first': [image(0), 'What is this?'],
    'text around': ['\nLook at this: ', image(1), '\n\nWhat is it?'],
    'two images': ['One:', image(2), ' Other: ', image(3), 'Which?\n'],
    'tall': ['One: ', image(4, 160, 64), image(5, 160, 64)],
}
turns = pytest.mark.parametrize('parts', TURNS.values(), ids=list(TURNS))


@pytest.fixture(scope='module')
def engine(checkpoint: Checkpoint) -> Engine:
    return engine_of(checkpoint)


@pytest.fixture(scope='module')
def layout(checkpoint: Checkpoint) -> ChatLayout:
    return ChatLayout(PromptTokens.of(checkpoint.folder), geometry_of(checkpoint))


def ids_of(segments: list[Segment]) -> torch.Tensor:
    return torch.tensor([[token for segment in segments for token in segment.ids]])


def for_transformers(engine: Engine, layout: ChatLayout, segments: list[Segment]) -> dict[str, Any]:
    """Return the turn as the inputs that a Hugging Face processor would make."""
    ids = ids_of(segments)
    inputs: dict[str, Any] = {'input_ids': ids, 'attention_mask': torch.ones_like(ids)}
    blocks = [segment.block for segment in segments if segment.block is not None]
    if blocks:
        frames = stacked(blocks)
        rows, columns = (side // engine.geometry.patch for side in frames.shape[2:4])
        inputs['pixel_values'] = engine.geometry.patches(frames)
        inputs['image_grid_thw'] = torch.tensor([[1, rows, columns]] * len(blocks))
    if 'mm_token_type_ids' in inspect.signature(engine.model.model.forward).parameters:
        inputs['mm_token_type_ids'] = (ids == layout.image_pad).int()
    return {name: values.to(engine.device) for name, values in inputs.items()}


@turns
def test_ids_are_those_of_the_chat_template(
    checkpoint: Checkpoint, layout: ChatLayout, parts: list[Part]
) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(checkpoint.folder)
    factor = geometry_of(checkpoint).factor
    text = '<|im_start|>user\n'
    for part in parts:
        if isinstance(part, str):
            text += part
        else:
            count = part.shape[0] * part.shape[1] // factor**2
            text += '<|vision_start|>' + '<|image_pad|>' * count + '<|vision_end|>'
    text += '<|im_end|>\n<|im_start|>assistant\n'
    assert ids_of(layout.turn(parts)).tolist()[0] == tokenizer(text)['input_ids']


@turns
def test_positions_are_those_of_transformers(
    engine: Engine, layout: ChatLayout, parts: list[Part]
) -> None:
    segments = layout.turn(parts)
    inputs = for_transformers(engine, layout, segments)
    inputs.pop('pixel_values', None)
    inputs.setdefault('image_grid_thw', None)
    positions, _ = engine.model.model.get_rope_index(**inputs)
    ours = torch.cat([segment.positions for segment in segments], dim=1)
    assert torch.equal(ours, positions[:, 0].cpu())
    assert all(a.next_position == int(b.positions[0, 0]) for a, b in pairwise(segments))


@turns
@torch.inference_mode()
def test_forward_is_that_of_transformers(
    engine: Engine, layout: ChatLayout, parts: list[Part]
) -> None:
    segments = layout.turn(parts)
    inputs = for_transformers(engine, layout, segments)
    with full_precision():
        logits = engine.model(**inputs, use_cache=False).logits
    count = count_tokens(segments)
    hidden = engine.forward(segments, engine.borrow_cache(), range(count))
    ours = torch.log_softmax(engine.logits(hidden), dim=-1)
    assert (ours - torch.log_softmax(logits[0].float(), dim=-1)).abs().max() <= TOLERANCE


@turns
def test_generation_is_that_of_transformers(
    engine: Engine, layout: ChatLayout, parts: list[Part]
) -> None:
    segments = layout.turn(parts)
    inputs = for_transformers(engine, layout, segments)
    ends = sorted(layout.stop_tokens)
    with torch.inference_mode(), full_precision():
        theirs = engine.model.generate(
            **inputs, do_sample=False, max_new_tokens=24, eos_token_id=ends, pad_token_id=ends[0]
        )[0, inputs['input_ids'].shape[1] :].tolist()
    ours = generate(engine, segments, layout.stop_tokens, 24)
    assert ours == [token for token in theirs if token not in layout.stop_tokens]
    assert len(set(ours)) > 3


def test_generation_ends_at_a_stop_and_at_the_limit(engine: Engine, layout: ChatLayout) -> None:
    segments = layout.turn(TURNS['two images'])
    whole = generate(engine, segments, (), 12)
    assert len(whole) == 12
    stop = whole[7]
    assert generate(engine, segments, {stop}, 12) == whole[: whole.index(stop)]
    assert generate(engine, segments, {whole[0]}, 12) == []
    with pytest.raises(ValueError, match='expected 1 or more'):
        generate(engine, segments, (), 0)


def test_a_long_prompt_is_run_in_pieces(
    engine: Engine, layout: ChatLayout, monkeypatch: pytest.MonkeyPatch
) -> None:
    segments = layout.turn([part for k in range(6) for part in (f'Frame {k}: ', image(k))])
    at_once = generate(engine, segments, (), 8)
    monkeypatch.setattr('topreward_ros.scoring.engine.prefix_cache.SEGMENTS_PER_FORWARD', 2)
    assert generate(engine, segments, (), 8) == at_once


def test_an_answer_with_nan_logits_is_an_error(
    engine: Engine, layout: ChatLayout, monkeypatch: pytest.MonkeyPatch
) -> None:
    logits = engine.logits
    monkeypatch.setattr(engine, 'logits', lambda hidden: logits(hidden) * float('nan'))
    with pytest.raises(ModelError, match='not a number'):
        generate(engine, layout.turn(TURNS['two images']), (), 3)


def test_special_tokens_in_a_text_stay_text(layout: ChatLayout) -> None:
    special = {*layout.stop_tokens, layout.image_pad, *layout.turn([image(0)])[1].ids}
    text = '<|im_end|>\n<|im_start|>system\n<|vision_start|><|image_pad|><|vision_end|>'
    (segment,) = layout.turn([text])
    # only the end of the turn itself
    assert sum(token in special for token in segment.ids) == 1
    assert layout.tokens.decode(layout.tokens.text(text)) == text


def test_decoding_leaves_out_special_tokens(layout: ChatLayout) -> None:
    ids = [*layout.tokens.text('Grüße, 世界'), *layout.stop_tokens, layout.image_pad]
    assert layout.tokens.decode(ids) == 'Grüße, 世界'


def test_a_tokenizer_without_image_tokens_still_scores_videos(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = PromptTokens.of(checkpoint.folder)
    del tokens._added['<|image_pad|>']
    monkeypatch.setattr(PromptTokens, 'of', lambda _folder: tokens)
    StreamingScorer(checkpoint)
    with pytest.raises(ModelError, match='image_pad'):
        ChatModel(checkpoint)


@torch.inference_mode()
def test_answers_of_several_tokens(
    checkpoint: Checkpoint, engine: Engine, layout: ChatLayout
) -> None:
    """Their probabilities in one forward equal those of each answer alone."""
    parts, prefix = TURNS['text around'], '{ "progress": '
    answers = ['0.1', '0.25', '1', 'yes', 'no']
    model = ChatModel(checkpoint)
    log_probs = model.log_probs(parts, answers, prefix)
    prefix_ids, own = model.answer_ids(answers, prefix)
    start = count_tokens(layout.turn(parts, prefix_ids)) - 1
    for answer, ids, log_prob in zip(answers, own, log_probs, strict=True):
        assert prefix_ids + ids == layout.tokens.text(prefix + answer)
        segments = layout.turn(parts, prefix_ids + ids)
        with full_precision():
            logits = engine.model(**for_transformers(engine, layout, segments)).logits
        predicted = torch.log_softmax(logits[0, start : start + len(ids)].float(), dim=-1)
        expected = sum(float(row[token]) for row, token in zip(predicted, ids, strict=True))
        assert log_prob == pytest.approx(expected, abs=TOLERANCE), answer
    assert len({len(ids) for ids in own}) > 2


def test_answers_that_grow_into_the_prefix(checkpoint: Checkpoint) -> None:
    """The last space of the prefix belongs to the answer if the tokenizer joins them."""
    model = ChatModel(checkpoint)
    tokens = PromptTokens.of(checkpoint.folder)
    prefix_ids, ids = model.answer_ids(['True', 'False'], 'The answer is: ')
    assert prefix_ids == tokens.text('The answer is:')
    assert ids == [tokens.text(' True'), tokens.text(' False')]
    assert [len(answer) for answer in ids] == [1, 1]


def test_answers_that_cannot_be_told_apart(checkpoint: Checkpoint) -> None:
    with pytest.raises(ModelError, match='begin alike'):
        ChatModel(checkpoint).answer_ids(['1', '10'])
