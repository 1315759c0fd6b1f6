# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the prompts of a question begin with is run once, and changes no answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from topreward_ros.demo.pattern import pattern_frame
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
    def loaded(scorer: str = 'streaming') -> LargeRewardModel:
        about = LoadOptions(
            str(checkpoint_folder),
            device,
            'float32',
            scorer=scorer,
            reward_model='large_reward_model',
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
    first, second = taken[0], taken[1]
    assert len(first) == 4  # two questions, and what each begins with
    assert second == first[1::2]
    assert [len(each) for each in taken] == [
        4,
        2,
        2,
        2,
        4,
        3,
        3,
    ]  # the contrast begins at the fifth
    assert taken[5] == taken[6]
    # of the process question that is the text around the first picture, and the picture
    scorer.process(TASKS[0], episode._pictures.initial, episode._pictures.newest)
    assert forwards.take() == [first[2] + first[3]]
    assert first[2] > first[3] / 4


def test_another_first_picture_is_another_beginning(
    load: MakeScorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the process question alone, as the others begin with text."""
    scorer, forwards = load(), Forwards(monkeypatch)
    episode = scorer.start(TASKS[0])
    for k in range(8):
        episode.keep_last(5)
        episode.append(frame(k), k / 2)
        episode.score()
        taken = forwards.take()
    assert len(taken) == 4


def test_another_task_is_another_beginning(load: MakeScorer) -> None:
    """Should somebody put other questions through the same place, the answers are still right."""
    scorer = load()
    episode = scorer.start(TASKS[0])
    episode.append(frame(0), 0.0)
    begun, pictures = scorer.beginnings(), episode._pictures
    for task in (*TASKS, TASKS[0]):
        assert scorer.judge(task, pictures, begun) == scorer.judge(task, pictures, begun)
        mine, expected = scorer.judge(task, pictures, begun), scorer.judge(task, pictures)
        assert mine.process == pytest.approx(expected.process, abs=1e-6)
        assert mine.completion == pytest.approx(expected.completion, abs=1e-6)


@pytest.mark.parametrize('number', range(6))
def test_a_cache_that_cannot_grow(
    load: MakeScorer, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Whichever growth fails, of a beginning or of what follows: the next scores are right."""
    scorer = load()
    expected = [scores.parts for scores in scores_of(load().start(TASKS[0]))]
    grow, grown = KeyValueCache._grown, []

    def fails_once(cache, *others):
        grown.append(cache.length)
        if len(grown) == 1 + number * cache.shape.layers:
            raise MemoryError
        return grow(cache, *others)

    monkeypatch.setattr(KeyValueCache, '_grown', fails_once)
    episode, failed = scorer.start(TASKS[0]), 0
    for k in range(6):
        episode.append(frame(k), k / 2)
        try:
            score = episode.score()
        except MemoryError:
            failed += 1
            score = episode.score()
        assert score.parts == pytest.approx(expected[k], abs=1e-6)
    assert failed == (number <= (len(grown) - 1) // 2)


def scores_of(episode: Episode, frames: int = 6) -> list:
    scores = []
    for k in range(frames):
        episode.append(frame(k), k / 2)
        scores.append(episode.score())
    return scores


def test_memory_is_returned(load: MakeScorer) -> None:
    """Of three caches a task, which later episodes take; each grows to the longest prompt once."""
    scorer, held = load(), []
    for _ in range(6):
        episode = scorer.start(TASKS)
        scores_of(episode)
        episode.close()
        held.append(scorer.footprint.caches)
    assert 0 < held[0] <= held[-3] == held[-2] == held[-1]
