# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A window of the last n frames scores as an episode of these frames alone, for each model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from topreward_ros.demo.random_robometer import write_random_robometer
from topreward_ros.errors import ModelError
from topreward_ros.scoring.engine.qwen3_vl import Engine
from topreward_ros.scoring.families import load_scorer
from topreward_ros.scoring.loading.options import LoadOptions
from topreward_ros.scoring.reward_models.robometer.streaming import RobometerScorer
from topreward_ros.scoring.reward_models.topreward.streaming import StreamingScorer
from topreward_ros.scoring.score import Episode, Score, Scorer

from .encodings import Encodings

TASKS = ('Put the block into the cup.', 'Close the drawer.')
MODELS = ('topreward', 'roboreward', 'robometer', 'large_reward_model')
TOLERANCE = 1e-4
MOST = 8
BOUNDED = 12  # frames after which each window has slid, by an odd and an even number


@pytest.fixture(scope='module')
def robometer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('robometer') / 'one'
    write_random_robometer(folder)
    return folder


@pytest.fixture(params=MODELS)
def reward_model(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def load(
    reward_model: str, checkpoint_folder: Path, robometer_folder: Path, device: str, **options: Any
) -> Scorer:
    folder = robometer_folder if reward_model == 'robometer' else checkpoint_folder
    return load_scorer(
        LoadOptions(str(folder), device, 'float32', reward_model=reward_model, **options)
    )


@pytest.fixture
def scorer(
    reward_model: str, checkpoint_folder: Path, robometer_folder: Path, device: str
) -> Scorer:
    return load(reward_model, checkpoint_folder, robometer_folder, device)


@pytest.fixture
def recompute(
    reward_model: str, checkpoint_folder: Path, robometer_folder: Path, device: str
) -> Scorer:
    return load(reward_model, checkpoint_folder, robometer_folder, device, scorer='recompute')


def clip(count: int) -> list[np.ndarray]:
    random = np.random.default_rng(5)
    return [random.integers(0, 256, (64, 96, 3), dtype=np.uint8) for _ in range(count)]


def append(episode: Episode, frame: np.ndarray, k: int) -> None:
    episode.keep_last(MOST - 1)
    episode.append(frame, k / 2)


def fresh(scorer: Scorer, frames: list[np.ndarray], last: int, most: int = MOST) -> Episode:
    """Return an episode of the last frames up to this one alone, at the same times."""
    episode = scorer.start(TASKS)
    for k in range(max(0, last + 1 - most), last + 1):
        episode.append(frames[k], k / 2)
    return episode


def numbers(score: Score) -> list[float]:
    values = (score.log_prob, score.log_prob_false, score.progress, score.success)
    return [value for value in (*values, *score.parts.values()) if value is not None]


def differences(one: Episode, other: Episode) -> float:
    assert one.frames == other.frames
    worst = 0.0
    for left, right in zip(one.scores(), other.scores(), strict=True):
        assert left.frames == right.frames == one.frames
        pairs = zip(numbers(left), numbers(right), strict=True)
        worst = max(worst, *(abs(a - b) for a, b in pairs))
    return worst


def test_a_window_equals_an_episode_of_its_frames(scorer: Scorer, recompute: Scorer) -> None:
    """Scored at each frame; against streaming and recompute, and not the same without a drop."""
    frames = clip(2 * MOST + 3)
    window, unbounded = scorer.start(TASKS), scorer.start(TASKS)
    others = 0.0
    for k, frame in enumerate(frames):
        append(window, frame, k)
        unbounded.append(frame, k / 2)
        assert window.frames == min(k + 1, MOST)
        assert differences(window, fresh(scorer, frames, k)) <= TOLERANCE, k
        assert differences(window, fresh(recompute, frames, k)) <= TOLERANCE, k
        if k >= MOST:
            pair = zip(numbers(window.score()), numbers(unbounded.score()), strict=True)
            others = max(others, *(abs(a - b) for a, b in pair))
    assert others > 100 * TOLERANCE, 'other frames would be noticed'


def test_a_recomputed_window_equals_one_of_its_frames(recompute: Scorer) -> None:
    frames, window = clip(BOUNDED), recompute.start(TASKS)
    for k, frame in enumerate(frames):
        append(window, frame, k)
    assert differences(window, fresh(recompute, frames, BOUNDED - 1)) <= TOLERANCE


@pytest.mark.parametrize('scored', [{18}, {9, 18}, {3, 10, 11, 18}])
def test_frames_may_go_unscored(scorer: Scorer, scored: set[int]) -> None:
    """As when the model falls behind: several are dropped between two scores."""
    frames, window = clip(19), scorer.start(TASKS)
    for k, frame in enumerate(frames):
        append(window, frame, k)
        if k in scored:
            assert differences(window, fresh(scorer, frames, k)) <= TOLERANCE, k


@pytest.mark.parametrize('count', [0, 1, 2, 5])
def test_any_number_of_frames_may_be_kept(scorer: Scorer, count: int) -> None:
    frames, window = clip(11), scorer.start(TASKS)
    window.keep_last(100)
    for k in range(10):
        window.append(frames[k], k / 2)
        window.score()
    window.keep_last(count)
    assert window.frames == count
    if not count:
        with pytest.raises(ValueError, match='without frames'):
            window.scores()
    window.append(frames[10], 5.0)
    assert differences(window, fresh(scorer, frames, 10, count + 1)) <= TOLERANCE


def test_a_frame_is_encoded_once_when_the_window_slides(
    scorer: Scorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pairs of either parity are encoded by the first two drops, pictures by the first."""
    encodings = Encodings(monkeypatch)
    frames, window = clip(3 * MOST), scorer.start(TASKS)
    for k, frame in enumerate(frames):
        append(window, frame, k)
        window.scores()
        if k >= MOST + 2:
            assert encodings.take() == 1, k
        encodings.take()


@pytest.mark.parametrize('kind', ['topreward', 'robometer'])
def test_features_of_frames_that_are_gone_are_freed(
    kind: str, checkpoint_folder: Path, robometer_folder: Path, device: str
) -> None:
    scorer = load(kind, checkpoint_folder, robometer_folder, device)
    assert isinstance(scorer, StreamingScorer | RobometerScorer)
    window, held = scorer.start(TASKS), []
    for k, frame in enumerate(clip(4 * MOST)):
        append(window, frame, k)
        window.scores()
        held.append(len(window._features))
    assert held[:MOST] == [0] * MOST, 'nothing is kept before the first drop'
    assert max(held) <= 2 * MOST and held[-1] == held[-3]
    window.close()
    assert not len(window._features)


@pytest.mark.parametrize('kind', ['topreward', 'robometer'])
def test_a_failed_score_leaves_nothing_behind(
    kind: str,
    checkpoint_folder: Path,
    robometer_folder: Path,
    device: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scorer = load(kind, checkpoint_folder, robometer_folder, device)
    frames, window = clip(BOUNDED), scorer.start(TASKS)
    for k, frame in enumerate(frames[:-1]):
        append(window, frame, k)
        window.scores()
    append(window, frames[-1], BOUNDED - 1)
    with monkeypatch.context() as patched, pytest.raises(MemoryError):
        patched.setattr(Engine, 'decode', _no_memory)
        window.scores()
    assert not len(window._features)  # type: ignore[attr-defined]
    assert differences(window, fresh(scorer, frames, BOUNDED - 1)) <= TOLERANCE


def _no_memory(*_: object) -> None:
    raise MemoryError('none left')


def test_pictures_that_are_gone_are_no_wrong_score(checkpoint_folder: Path, device: str) -> None:
    """A large reward model keeps few pictures unless the window is known to slide."""
    options = LoadOptions(
        str(checkpoint_folder), device, 'float32', reward_model='large_reward_model'
    )
    episode = load_scorer(options).start(TASKS)
    for k, frame in enumerate(clip(40)):
        episode.append(frame, k / 2)
    with pytest.raises(ValueError, match='from the first on'):
        episode.keep_last(39)


def test_a_score_that_is_no_number_is_an_error_in_a_window_too(
    checkpoint_folder: Path, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer = load_scorer(LoadOptions(str(checkpoint_folder), device, 'float32'))
    assert isinstance(scorer, StreamingScorer)
    frames, window = clip(BOUNDED), scorer.start(TASKS)
    for k, frame in enumerate(frames):
        append(window, frame, k)
    log_probs = scorer.engine.log_probs
    with monkeypatch.context() as patched, pytest.raises(ModelError):
        patched.setattr(scorer.engine, 'log_probs', lambda *a: log_probs(*a) * float('nan'))
        window.scores()
    assert differences(window, fresh(scorer, frames, BOUNDED - 1)) <= TOLERANCE
