# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a prompt and the last one of the same question begin with is run once; no answer changes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from topreward_ros.demo.pattern import pattern_frame
from topreward_ros.errors import ModelError
from topreward_ros.scoring.engine import qwen3_vl
from topreward_ros.scoring.engine.key_value_cache import KeyValueCache
from topreward_ros.scoring.engine.prompt import count_tokens
from topreward_ros.scoring.engine.qwen3_vl import Engine
from topreward_ros.scoring.families import load_scorer
from topreward_ros.scoring.loading.options import LoadOptions
from topreward_ros.scoring.reward_models.large_reward_models.rewards import LargeRewardModel
from topreward_ros.scoring.score import Episode

TASKS = ['Put the block into the cup.', 'Close the drawer.']
SIZE = 48, 64
MakeScorer = Callable[..., LargeRewardModel]


@pytest.fixture(scope='module')
def load(checkpoint_folder: Path, device: str) -> MakeScorer:
    def loaded(scorer: str = 'streaming', dtype: str = 'float32') -> LargeRewardModel:
        about = LoadOptions(
            str(checkpoint_folder), device, dtype, scorer=scorer, reward_model='large_reward_model'
        )
        made = load_scorer(about)
        assert isinstance(made, LargeRewardModel)
        return made

    return loaded


def frame(k: int) -> np.ndarray:
    return pattern_frame(k / 20, *SIZE)


def as_it_is(episode: Episode, frames: int) -> None:
    """Drop nothing."""


def thinned(episode: Episode, frames: int) -> None:
    if frames == 8:
        episode.thin()


def last_six(episode: Episode, frames: int) -> None:
    episode.keep_last(5)


@pytest.mark.parametrize('drop', [as_it_is, thinned, last_six])
def test_answers_equal_the_recompute(
    load: MakeScorer, drop: Callable[[Episode, int], None]
) -> None:
    """At every length, for two tasks, whatever is dropped on the way."""
    episodes = [load(kind).start(TASKS) for kind in ('streaming', 'recompute')]
    for k in range(12):
        rows = []
        for episode in episodes:
            drop(episode, k)
            episode.append(frame(k), k / 2)
            rows.append(episode.scores())
        for mine, reference in zip(*rows, strict=True):
            assert mine.parts == pytest.approx(reference.parts, abs=1e-5)
    assert rows[0][0].parts['process'] != rows[0][1].parts['process']


class Forwards:
    """Counts the tokens of each forward."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._tokens: list[int] = []
        forward = Engine.forward

        def counted(engine, segments, *others):
            self._tokens.append(count_tokens(segments))
            return forward(engine, segments, *others)

        monkeypatch.setattr(Engine, 'forward', counted)

    def take(self) -> list[int]:
        taken, self._tokens = self._tokens, []
        return taken


def test_a_beginning_is_run_once(load: MakeScorer, monkeypatch: pytest.MonkeyPatch) -> None:
    scorer, forwards = load(), Forwards(monkeypatch)
    episode, taken = scorer.start(TASKS[0]), []
    for k in range(7):
        episode.append(frame(k), k / 2)
        episode.score()
        taken.append(forwards.take())
    # the contrast begins at the fifth
    assert [len(each) for each in taken] == [2, 2, 2, 2, 3, 3, 3]
    assert taken[1:4] == taken[1:2] * 3 and taken[5] == taken[6]
    completion, process = (first - later for first, later in zip(taken[0], taken[1], strict=True))
    assert 0 < completion < 150 < process  # text; text, the first picture, and text
    assert taken[4][:2] == taken[1] and taken[4][2] > taken[5][2]


def test_without_a_first_picture_that_stays_text_is_run_once(
    load: MakeScorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the newest frames alone, the process question begins with another picture each time."""
    scorer, forwards = load(), Forwards(monkeypatch)
    episode, taken = scorer.start(TASKS[0]), []
    for k in range(9):
        episode.keep_last(5)
        episode.append(frame(k), k / 2)
        episode.score()
        taken.append(forwards.take())
    assert [len(each) for each in taken[-3:]] == [3, 3, 3]
    assert taken[-1] == taken[-2] and taken[1][1] < taken[-1][1] < taken[0][1]


def test_another_task_and_the_same_again(load: MakeScorer) -> None:
    """Should somebody put other questions through the same place, the answers are still right."""
    scorer = load()
    episode = scorer.start(TASKS[0])
    episode.append(frame(0), 0.0)
    kept, pictures = scorer.kept_turns(), episode._pictures
    for task in (*TASKS, TASKS[1], TASKS[0]):
        mine, expected = scorer.judge(task, pictures, kept), scorer.judge(task, pictures)
        assert mine.process == pytest.approx(expected.process, abs=1e-6)
        assert mine.completion == pytest.approx(expected.completion, abs=1e-6)


def test_a_kept_turn_belongs_to_one_model(load: MakeScorer) -> None:
    """Two with adapters share an engine: what the other has cached is of other weights."""
    one, other = load().models.completion, load().models.completion
    with pytest.raises(ValueError, match='of another model'):
        one.log_probs(['How far?'], ('A', 'B'), kept=other.kept_turn())


def test_turns_of_text_alone(load: MakeScorer) -> None:
    model, reference = load().models.completion, load('recompute').models.completion
    kept, expected = model.kept_turn(), model.log_probs(['How far?'], ('A', 'B'))
    picture = model.encode(torch.from_numpy(pattern_frame(0, 64, 64)))
    for parts in ([picture, 'How far?'], ['How far?'], ['How far?']):
        answers = model.log_probs(parts, ('A', 'B'), kept=kept)
    assert answers == pytest.approx(expected, abs=1e-6)
    with pytest.raises(ValueError, match='no pictures'):
        reference.log_probs(['How far?'], ('A', 'B'))


def test_a_reference_of_many_words_in_half_precision(
    load: MakeScorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows of the output matrix are converted in chunks, of which a real vocabulary has several."""
    monkeypatch.setattr(qwen3_vl, 'VOCABULARY_CHUNK', 100)
    mine, reference = (
        scores_of(load(kind, 'bfloat16').start(TASKS[0]))[-1].parts
        for kind in ('streaming', 'recompute')
    )
    assert mine == pytest.approx(reference, abs=0.05)


def check_one_failure(
    episode: Episode, expected: list[dict[str, float]], error: type[Exception]
) -> None:
    """Score frame by frame, and again after an error, of which there has to be one."""
    failed = 0
    for k, parts in enumerate(expected):
        episode.append(frame(k), k / 2)
        try:
            score = episode.score()
        except error:
            failed += 1
            score = episode.score()
        assert score.parts == pytest.approx(parts, abs=1e-6)
    assert failed == 1


@pytest.mark.parametrize('number', range(6))
def test_a_cache_that_cannot_grow(
    load: MakeScorer, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Whichever growth fails, of keys or values, in any question: the next scores are right."""
    scorer, grow, grown = load(), KeyValueCache._grown, []
    expected = [score.parts for score in scores_of(load().start(TASKS[0]))]

    def fails_once(cache, *others):
        grown.append(cache.length)
        if len(grown) == 1 + number * cache.shape.layers:
            raise MemoryError
        return grow(cache, *others)

    monkeypatch.setattr(KeyValueCache, '_grown', fails_once)
    check_one_failure(scorer.start(TASKS[0]), expected, MemoryError)


@pytest.mark.parametrize('number', range(8))
def test_values_that_are_not_numbers(
    load: MakeScorer, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Told once: what was cached with them is dropped."""
    scorer, forward, count = load(), Engine.forward, itertools.count()
    expected = [score.parts for score in scores_of(load().start(TASKS[0]))]

    def fails_once(engine, segments, cache, *others):
        hidden = forward(engine, segments, cache, *others)
        if next(count) == number:
            cache.layer(0, cache.length)[1][:] = math.nan
            return hidden * math.nan
        return hidden

    monkeypatch.setattr(Engine, 'forward', fails_once)
    check_one_failure(scorer.start(TASKS[0]), expected, ModelError)


def scores_of(episode: Episode, frames: int = 6) -> list:
    scores = []
    for k in range(frames):
        episode.append(frame(k), k / 2)
        scores.append(episode.score())
    return scores


def test_memory_is_returned(load: MakeScorer) -> None:
    """Of three caches a task, which later episodes take; each grows to the longest prompt once."""
    scorer, held, closed = load(), [], []
    for _ in range(6):
        episode = scorer.start(TASKS)
        scores_of(episode)
        episode.close()
        closed.append(episode)  # so that only closing returns it
        held.append(scorer.footprint.caches)
    assert 0 < held[0] <= held[-3] == held[-2] == held[-1] < 2 * held[0]
