# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Large Reward Models as a scorer among others: loaded by name, with each picture encoded once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from topreward_ros.demo.pattern import pattern_frame
from topreward_ros.errors import NoChatError, TaskError
from topreward_ros.scoring.engine.chat_model import ChatModel
from topreward_ros.scoring.families import load_scorer
from topreward_ros.scoring.loading.checkpoint import Checkpoint
from topreward_ros.scoring.loading.options import LoadOptions
from topreward_ros.scoring.reward_models.large_reward_models.rewards import (
    LargeRewardModel,
    QuestionModels,
)

from .encodings import Encodings

TASKS = ['Put the block into the cup.', 'Close the drawer.']


def frame(k: int) -> np.ndarray:
    return pattern_frame(k / 20, 48, 64)


@pytest.fixture(scope='module')
def scorer(checkpoint_folder: Path, device: str) -> LargeRewardModel:
    options = LoadOptions(
        str(checkpoint_folder), device, 'float32', reward_model='large_reward_model'
    )
    loaded = load_scorer(options)
    assert isinstance(loaded, LargeRewardModel)
    return loaded


def test_a_picture_is_encoded_once(
    scorer: LargeRewardModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    encodings = Encodings(monkeypatch)
    episode = scorer.start(TASKS)
    for k in range(8):
        episode.append(frame(k), k / 2)
        episode.scores()
        assert encodings.take() == 1
    episode.thin()
    episode.append(frame(9), 4.5)
    episode.scores()
    assert encodings.take() == 1


def test_a_picture_that_no_question_shows_is_not_encoded(
    scorer: LargeRewardModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    encodings = Encodings(monkeypatch)
    episode = scorer.start(TASKS[0])
    for k in range(8):
        episode.append(frame(k), k / 2)
    assert encodings.take() == 0
    episode.score()
    assert encodings.take() == 3  # the first, the earlier and the newest one


def test_encoded_pictures_are_answered_about_as_others(scorer: LargeRewardModel) -> None:
    """As in one forward with the question: what is kept changes no answer."""
    model, episode = scorer.models.process, scorer.start(TASKS[0])
    for k in range(3):
        episode.append(frame(k), k / 2)
    episode.score()
    shown = [episode._pictures.initial, episode._pictures.newest]
    raw, encoded = [each.image for each in shown], [each.encoded(model) for each in shown]
    expected = model.log_probs([*raw, 'How far?'], ('A', 'B'))
    assert model.log_probs([*encoded, 'How far?'], ('A', 'B')) == pytest.approx(expected, abs=1e-5)
    with pytest.raises(ValueError, match='expected one of them'):
        model.log_probs([raw[0], encoded[1]], ('A', 'B'))


def test_a_curve_is_that_of_a_live_episode(scorer: LargeRewardModel) -> None:
    frames = [frame(k) for k in range(7)]
    episode, live = scorer.start(TASKS), {}
    for k, each in enumerate(frames):
        episode.append(scorer.fitter(48, 64)(each), k / 2)
        live[k + 1] = episode.scores()
    clip = ((each, k / 2) for k, each in enumerate(frames))
    rows = list(scorer.curve(clip, TASKS, [1, 5, 7]))
    assert [row[0].frames for row in rows] == [1, 5, 7]
    for row in rows:
        for one, other in zip(row, live[row[0].frames], strict=True):
            assert one.parts == pytest.approx(other.parts)
    assert rows[0][0].parts['contrast'] == 0 < rows[1][0].parts['contrast']


def test_a_score_can_be_repeated_after_an_error(
    scorer: LargeRewardModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    episode = scorer.start(TASKS[0])
    for k in range(6):
        episode.append(frame(k), k / 2)
    expected, failed = episode.score(), []
    log_probs = ChatModel.log_probs

    def fails_once(model, parts, answers, *others):
        if answers == ('A', 'B') and not failed:
            failed.append(True)
            raise MemoryError
        return log_probs(model, parts, answers, *others)

    monkeypatch.setattr(ChatModel, 'log_probs', fails_once)
    with pytest.raises(MemoryError):
        episode.score()
    assert episode.score().parts == pytest.approx(expected.parts, abs=1e-6)


def test_identities(scorer: LargeRewardModel, checkpoint: Checkpoint) -> None:
    model = ChatModel(checkpoint)
    others = [
        LargeRewardModel(model, steps_back=9),
        LargeRewardModel(model, both_orders=True),
        LargeRewardModel(model),
    ]
    layouts = [each.identity.layout for each in others]
    assert len(set(layouts)) == 3 and layouts[2] == scorer.identity.layout
    assert scorer.identity.fingerprint == others[2].identity.fingerprint
    assert scorer.summary.startswith(scorer.identity.model)


def test_a_scorer_among_others(scorer: LargeRewardModel, checkpoint: Checkpoint) -> None:
    scorer.warm_up(48, 64)
    assert isinstance(scorer.chat_model(), ChatModel)
    one, other = ChatModel(checkpoint), ChatModel(checkpoint)
    with pytest.raises(NoChatError):
        LargeRewardModel(QuestionModels(one, one, other)).chat_model()
    with pytest.raises(TaskError):
        scorer.start([])
    episode = scorer.start(TASKS)
    episode.append(frame(0), 0.0)
    episode.close()
    assert episode.frames == 0
