# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Streaming scores equal recomputed scores at every prefix, with negative controls."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from topreward_ros.errors import ModelError
from topreward_ros.scoring.engine import prefix_cache
from topreward_ros.scoring.engine.attention import AttentionPart
from topreward_ros.scoring.engine.decoder_layer import joined
from topreward_ros.scoring.engine.key_value_cache import CacheShape, KeyValueCache
from topreward_ros.scoring.engine.prefix_cache import Branch
from topreward_ros.scoring.engine.qwen3_vl import Engine
from topreward_ros.scoring.loading.checkpoint import Checkpoint, load_checkpoint
from topreward_ros.scoring.loading.options import LoadOptions
from topreward_ros.scoring.reward_models.topreward.recompute import RecomputeScorer
from topreward_ros.scoring.reward_models.topreward.streaming import StreamingScorer
from topreward_ros.scoring.score import Episode

TOLERANCE = 1e-4  # [nat], float32
SIZES = ((64, 64), (100, 131), (240, 320))
TASKS = (
    'Put the block into the cup.',
    'Lege den Würfel in die Schüssel – 把方块放进碗里。',
    'Remove the cap.',
)


def frames(size: tuple[int, int], count: int) -> list[np.ndarray]:
    random = np.random.default_rng(count)
    return [random.integers(0, 256, (*size, 3), dtype=np.uint8) for _ in range(count)]


def worst_difference(one: Episode, other: Episode, size: tuple[int, int], count: int) -> float:
    """Return the largest difference over answers, tasks and prefixes of `count` frames [nat]."""
    worst = 0.0
    for k, frame in enumerate(frames(size, count)):
        one.append(frame, k / 2)
        other.append(frame, k / 2)
        for left, right in zip(one.scores(), other.scores(), strict=True):
            assert left.frames == right.frames == k + 1
            worst = max(worst, abs(left.log_prob - right.log_prob))
            worst = max(worst, abs(left.log_prob_false - right.log_prob_false))
    return worst


@pytest.mark.parametrize('task', TASKS)
@pytest.mark.parametrize('size', SIZES)
def test_streaming_equals_recompute_at_every_prefix(
    checkpoint: Checkpoint, size: tuple[int, int], task: str
) -> None:
    stream = StreamingScorer(checkpoint).start(task)
    recompute = RecomputeScorer(checkpoint).start(task)
    assert worst_difference(stream, recompute, size, 24) <= TOLERANCE


def test_scores_are_log_probabilities_that_depend_on_the_frames(checkpoint: Checkpoint) -> None:
    episode = StreamingScorer(checkpoint).start(TASKS[0])
    seen = []
    for k, frame in enumerate(frames((64, 64), 6)):
        episode.append(frame, k / 2)
        score = episode.score()
        assert score.log_prob < 0 and score.log_prob_false < 0
        assert np.exp(score.log_prob) + np.exp(score.log_prob_false) <= 1
        seen.append(score.log_prob)
    assert np.ptp(seen) > 0.01


def test_several_tasks_share_one_cache(checkpoint: Checkpoint) -> None:
    scorer = StreamingScorer(checkpoint)
    together = scorer.start(TASKS)
    alone = [scorer.start(task) for task in TASKS]
    for k, frame in enumerate(frames((64, 96), 7)):
        together.append(frame, k / 2)
        for task, (episode, score) in enumerate(zip(alone, together.scores(), strict=True)):
            episode.append(frame, k / 2)
            assert score.log_prob == pytest.approx(episode.score().log_prob, abs=TOLERANCE), task
    assert together.cached_tokens == alone[0].cached_tokens


def test_any_attention_implementation(checkpoint_folder) -> None:
    eager = load_checkpoint(LoadOptions(str(checkpoint_folder), attention='eager'))
    stream, recompute = StreamingScorer(eager), RecomputeScorer(eager)
    assert worst_difference(stream.start(TASKS), recompute.start(TASKS), (64, 64), 5) <= TOLERANCE


def test_many_frames_can_be_scored_at_once(checkpoint: Checkpoint) -> None:
    scorer = StreamingScorer(checkpoint)
    at_once, one_by_one = scorer.start(TASKS[0]), scorer.start(TASKS[0])
    for k, frame in enumerate(frames((64, 64), 41)):
        at_once.append(frame, k / 2)
        one_by_one.append(frame, k / 2)
        last = one_by_one.score()
    assert at_once.score().log_prob == pytest.approx(last.log_prob, abs=TOLERANCE)


def test_thinned_episode_equals_a_recompute_of_what_is_left(checkpoint: Checkpoint) -> None:
    clip = frames((64, 64), 19)
    episode = StreamingScorer(checkpoint).start(TASKS[0])
    for k in range(16):
        episode.append(clip[k], k / 2)
        episode.score()
    episode.thin()
    recompute = RecomputeScorer(checkpoint).start(TASKS[0])
    for k in (0, 1, 4, 5, 8, 9, 12, 13):
        recompute.append(clip[k], k / 2)
    for k in range(16, 19):
        episode.append(clip[k], float(k))
        recompute.append(clip[k], float(k))
        assert episode.frames == recompute.frames
        assert episode.score().log_prob == pytest.approx(recompute.score().log_prob, abs=TOLERANCE)


def append_thinned(episode: Episode, frame: np.ndarray, time: float) -> None:
    """Append a frame to an episode of at most 16."""
    if episode.frames == 16:
        episode.thin()
    episode.append(frame, time)


@pytest.mark.parametrize('slices', [0, 1, 2, 9])
def test_a_prepared_thinning_changes_no_score_and_leaves_little_to_do(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch, slices: int
) -> None:
    """Thinned twice at 16 frames; slices are done after each score of the later half."""
    clip = frames((64, 64), 30)
    scorer = StreamingScorer(checkpoint)
    one, other = scorer.start(TASKS), scorer.start(TASKS)
    run: list[int] = []
    forward = scorer.engine.forward

    def counted(segments: Any, *arguments: Any) -> Any:
        run.append(sum(segment.block is not None for segment in segments))
        return forward(segments, *arguments)

    monkeypatch.setattr(scorer.engine, 'forward', counted)
    for k, frame in enumerate(clip):
        for episode in (one, other):
            append_thinned(episode, frame, k / 2)
        run.clear()
        scores = one.scores()
        blocks = sum(run)
        for a, b in zip(scores, other.scores(), strict=True):
            assert a.log_prob == pytest.approx(b.log_prob, abs=TOLERANCE)
        is_after = one.frames == 9 and k > 9
        assert blocks <= (5 if slices == 0 or not is_after else 2)
        assert not is_after or blocks == {0: 5, 1: 1, 2: 1, 9: 1}[slices]
        if one.frames > 8:
            more = [one.prepare_thinning() for _ in range(slices)]
            assert slices < 9 or more[-1] is False
    live, spare = one._prefix._cache, one._thinned._prefix._cache
    assert live is not None and (spare is not None) == bool(slices)
    assert spare is None or spare.capacity <= live.capacity  # half of it, and room for a pair
    other.close()
    one.close()
    assert len(scorer.engine._free) == 2 and one._thinned._prefix._cache is None
    again = scorer.start(TASKS[0])
    again.append(clip[0], 0.0)
    again.score()
    assert again._prefix._cache is live  # whose steps may have been recorded


def test_a_preparation_that_fails_is_done_again(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = frames((64, 64), 19)
    scorer, plain = StreamingScorer(checkpoint), StreamingScorer(checkpoint)
    one, other = scorer.start(TASKS[0]), plain.start(TASKS[0])
    for k, frame in enumerate(clip):
        for episode in (one, other):
            append_thinned(episode, frame, k / 2)
            episode.score()
        if k in (9, 12):
            with monkeypatch.context() as patch:
                patch.setattr(scorer.engine, 'run', fail)
                with pytest.raises(RuntimeError, match='no memory'):
                    one.prepare_thinning()
            assert one._thinned._prefix._cache is None
        elif k > 8:
            one.prepare_thinning()
        assert one.score().log_prob == pytest.approx(other.score().log_prob, abs=TOLERANCE)


def test_a_score_without_memory_gives_back_what_was_prepared(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer = StreamingScorer(checkpoint)
    episode = scorer.start(TASKS[0])
    for k, frame in enumerate(frames((64, 64), 9)):
        episode.append(frame, k / 2)
    expected = episode.score().log_prob
    assert episode.prepare_thinning()
    with monkeypatch.context() as patch:
        patch.setattr(scorer.engine, 'run', short)
        with pytest.raises(RuntimeError, match='out of memory'):
            episode.score()
    assert episode._thinned._prefix._cache is None
    assert episode.score().log_prob == pytest.approx(expected, abs=TOLERANCE)


def short(*_: object) -> None:
    raise RuntimeError('CUDA out of memory')


def fail(*_: object) -> None:
    raise RuntimeError('no memory')


class Subclass(torch.Tensor):
    """As the weights of other libraries, in a module that is an nn.Linear all the same."""


@pytest.mark.parametrize('kind', ['bias', 'subclass', 'dtype', 'hook', 'patched', 'no linear'])
def test_only_plain_projections_are_joined(kind: str) -> None:
    modules = [torch.nn.Linear(4, rows, bias=False) for rows in (3, 2)]
    plain = joined(modules)
    assert plain is not None and torch.equal(plain, torch.cat([each.weight for each in modules]))
    assert joined(modules).data_ptr() == plain.data_ptr(), 'joined once'
    odd: Any = torch.nn.Linear(4, 2, bias=kind == 'bias')
    if kind == 'subclass':
        odd.weight = torch.nn.Parameter(odd.weight.data.as_subclass(Subclass), requires_grad=False)
    elif kind == 'dtype':
        odd = odd.to(torch.bfloat16)
    elif kind == 'hook':
        odd.register_forward_hook(lambda *_: None)
    elif kind == 'patched':
        odd.forward = lambda values: values
    elif kind == 'no linear':
        odd = torch.nn.Embedding(2, 4)
    weight = odd.weight
    assert joined([modules[0], odd]) is None and odd.weight is weight


def test_a_failed_step_leaves_no_wrong_number(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer = StreamingScorer(checkpoint)
    episode, other = scorer.start(TASKS[0]), scorer.start(TASKS[0])
    clip = frames((64, 64), 5)
    for k, frame in enumerate(clip[:4]):
        episode.append(frame, k / 2)
        other.append(frame, k / 2)
    episode.score()
    episode.append(clip[4], 2.0)
    other.append(clip[4], 2.0)

    truncate = KeyValueCache.truncate

    def out_of_memory(cache: KeyValueCache, length: int) -> None:
        if length:
            raise torch.cuda.OutOfMemoryError('no memory left')
        truncate(cache, 0)

    with monkeypatch.context() as patch:  # after the forward, before the truncation
        patch.setattr(KeyValueCache, 'truncate', out_of_memory)
        with pytest.raises(torch.cuda.OutOfMemoryError):
            episode.score()
    assert episode.score().log_prob == pytest.approx(other.score().log_prob, abs=TOLERANCE)


def test_the_cache_holds_full_blocks_only(checkpoint: Checkpoint) -> None:
    episode = StreamingScorer(checkpoint).start(TASKS)
    sizes = []
    for k, frame in enumerate(frames((64, 64), 6)):
        episode.append(frame, k / 2)
        episode.scores()
        sizes.append(episode.cached_tokens)
    assert sizes[0] < sizes[1] == sizes[2] < sizes[3] == sizes[4] < sizes[5]
    episode.close()
    assert episode.cached_tokens == 0 and episode.frames == 0


def test_episodes_reuse_memory(checkpoint: Checkpoint) -> None:
    scorer = StreamingScorer(checkpoint)
    caches = set()
    for _ in range(20):
        episode = scorer.start(TASKS[0])
        for k, frame in enumerate(frames((64, 64), 3)):
            episode.append(frame, k / 2)
            episode.score()
        assert not scorer.engine._free
        episode.close()
        (cache,) = scorer.engine._free
        caches.add((id(cache), cache.capacity, cache.length))
    assert len(caches) == 1


def test_a_cache_grows_by_doubling() -> None:
    cache = KeyValueCache(CacheShape(1, 2, 4, torch.float32, torch.device('cpu')))
    written = torch.randn(2, 700, 4)
    for start in range(0, 700, 100):
        part = written[:, start : start + 100]
        keys, _ = cache.append(100).write(0, part, part)
        assert torch.equal(keys, written[:, : start + 100])
    assert (cache.length, cache.capacity) == (700, 1024)
    assert cache.shape.bytes_per_token == 2 * 2 * 4 * 4
    cache.truncate(650)
    with pytest.raises(ValueError, match='cannot be truncated to 651'):
        cache.truncate(651)


def test_a_cache_whose_allocation_failed_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its layers must not differ in capacity."""
    cache = KeyValueCache(CacheShape(3, 2, 4, torch.float32, torch.device('cpu')))
    cache.append(10)
    grown, calls = KeyValueCache._grown, []

    def out_of_memory(cache: KeyValueCache, *arguments: object) -> torch.Tensor:
        calls.append(1)
        if len(calls) == 2:
            raise torch.OutOfMemoryError('no memory left')
        return grown(cache, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(KeyValueCache, '_grown', out_of_memory)
        with pytest.raises(torch.OutOfMemoryError):
            cache.append(2000)
    assert (cache.length, cache.capacity) == (0, 0)
    cache.append(700)
    assert (
        all(len(layers) == 3 for layers in (cache._keys, cache._values)) and cache.capacity == 700
    )


@pytest.mark.parametrize('kind', [StreamingScorer, RecomputeScorer])
def test_a_score_that_is_nan_is_an_error(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch, kind: Any
) -> None:
    scorer = kind(checkpoint)
    episode, same = scorer.start(TASKS[0]), scorer.start(TASKS[0])
    for one in (episode, same):
        one.append(frames((64, 64), 1)[0], 0.0)
    with monkeypatch.context() as patch:
        patch.setattr(Engine, 'log_probs', lambda *_: torch.tensor([[float('nan'), -1.0]]))
        with pytest.raises(ModelError, match='not a number'):
            episode.score()
    assert episode.score() == same.score(), 'the episode continues'


# Negative controls: each breaks streaming in one place, which the comparison must detect.


def broken_difference(checkpoint: Checkpoint, scorer: StreamingScorer) -> float:
    recompute = RecomputeScorer(checkpoint).start(TASKS[0])
    return worst_difference(scorer.start(TASKS[0]), recompute, (64, 64), 4)


def test_negative_control_position_off_by_one(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer = StreamingScorer(checkpoint)
    ask = scorer.layout.ask
    monkeypatch.setattr(scorer.layout, 'ask', lambda task, start: ask(task, start + 1))
    assert broken_difference(checkpoint, scorer) > TOLERANCE


def test_negative_control_wrong_timestamp(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer = StreamingScorer(checkpoint)
    block = scorer.layout.tokens.block
    monkeypatch.setattr(scorer.layout.tokens, 'block', lambda time, n: block(time + 0.1, n))
    assert broken_difference(checkpoint, scorer) > TOLERANCE


def test_negative_control_branch_that_is_not_truncated(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    truncate = KeyValueCache.truncate
    branch = 13  # tokens of an unpaired frame of 64x64: time, four of video, two around them

    def truncate_the_question_only(cache: KeyValueCache, length: int) -> None:
        truncate(cache, min(cache.length, length + branch) if length else 0)

    monkeypatch.setattr(KeyValueCache, 'truncate', truncate_the_question_only)
    assert broken_difference(checkpoint, StreamingScorer(checkpoint)) > TOLERANCE


def test_negative_control_leaves_that_attend_to_each_other(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    branch_parts = prefix_cache.branch_parts

    def causal_branches(
        past: int, new: int, branches: list[Branch]
    ) -> tuple[list[int], list[AttentionPart]]:
        rows, parts = branch_parts(past, new, branches)
        return rows, [replace(part, mask=None) for part in parts]

    monkeypatch.setattr(prefix_cache, 'branch_parts', causal_branches)
    stream = StreamingScorer(checkpoint).start(TASKS)
    recompute = RecomputeScorer(checkpoint).start(TASKS)
    assert worst_difference(stream, recompute, (64, 64), 2) > TOLERANCE
