# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the node publishes of a reward model that has no log-probability."""

from __future__ import annotations

import math

import pytest
from lifecycle_msgs.msg import Transition
from rclpy.parameter import Parameter

from topreward_ros.scoring import Episode, Score
from topreward_ros.scoring.families import FAMILIES

from ..toy_scorer import ToyEpisode, ToyScorer
from .toy_stage import COUNT, NAMESPACE, Stage, level, staged

TOPIC_REWARD = f'{NAMESPACE}/topreward/reward'


class MuteScorer(ToyScorer):
    """Has progress, and nothing that success could be judged by."""

    tells_success = False

    def start(self, tasks: object) -> Episode:
        return MuteEpisode(1)


class MuteEpisode(ToyEpisode):
    def scores(self) -> tuple[Score, ...]:
        return (Score(self.frames, progress=self._levels[-1]),)


@pytest.fixture(autouse=True)
def scorers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FAMILIES, 'toy', ToyScorer)
    monkeypatch.setitem(FAMILIES, 'mute', MuteScorer)


def refusal(stage: Stage, **values: object) -> str:
    """Return why parameters cannot be set; an empty text where they are."""
    parameters = [Parameter(name, value=value) for name, value in values.items()]
    return ' '.join(result.reason for result in stage.node.set_parameters(parameters))


def test_a_message_says_whose_score_it_is() -> None:
    with staged(success_threshold=-2.0) as stage:
        stage.start()
        messages = stage.show_all()
        levels = [level(k, 1.0) / 255 for k in range(COUNT)]
        assert {message.reward_model for message in messages} == {'toy'}
        assert [message.success for message in messages] == pytest.approx(
            [each**8 for each in levels], abs=1e-6
        )
        assert all(message.part_names == ['brightness'] for message in messages)
        assert [list(message.parts) for message in messages] == [
            [pytest.approx(each, abs=1e-6)] for each in levels
        ]
        (success,) = stage.until(lambda: stage.listener.successes)
        assert (success.reward_model, success.evidence) == ('toy', 'success')
        last = [math.log(levels[k] ** 8) for k in range(success.frames - 3, success.frames)]
        assert success.score == pytest.approx(sum(last) / 3, abs=1e-5)


def test_the_reward_alone_as_a_plain_number() -> None:
    with staged(publish_reward=True) as stage:
        stage.start()
        listener = stage.listener
        stage.until(lambda: listener.count_publishers(TOPIC_REWARD))
        messages = stage.show_all()
        stage.until(lambda: len(listener.rewards) >= len(messages))
        expected = [message.reward for message in messages]
        assert listener.rewards == pytest.approx(expected, abs=1e-6)
        assert sum(listener.rewards) == pytest.approx(1.0)
        profiles = [
            listener.get_publishers_info_by_topic(topic)[0].qos_profile
            for topic in (TOPIC_REWARD, f'{NAMESPACE}/topreward/progress')
        ]
        assert profiles[0].reliability == profiles[1].reliability
        assert profiles[0].durability == profiles[1].durability
        assert 'publish_reward can be set' in refusal(stage, publish_reward=False)
        assert stage.change(Transition.TRANSITION_DEACTIVATE)
        assert refusal(stage, publish_reward=False) == ''
        assert stage.change(Transition.TRANSITION_ACTIVATE)
        stage.until(lambda: not listener.count_publishers(TOPIC_REWARD))


def test_the_reward_is_not_published_unasked() -> None:
    with staged() as stage:
        stage.start()
        stage.show_all()
        assert stage.listener.rewards == []
        assert stage.node.count_publishers(TOPIC_REWARD) == 0


def test_a_model_that_cannot_tell_success_is_scored_without_it() -> None:
    with staged(model='mute') as stage:
        stage.start()
        messages = stage.show_all()
        assert {message.scene for message in messages} == {messages[0].SCENE_UNKNOWN}
        assert all(math.isnan(message.success) for message in messages)
        assert all(message.part_names == [] for message in messages)
        assert stage.listener.successes == []
        reason = refusal(stage, success_threshold=-2.0)
        assert 'success_threshold is -2.0, and toy cannot tell success' in reason
        assert '\n' not in reason
        assert refusal(stage, success_window=2) == '', 'others can be set'


def test_a_threshold_of_a_model_that_cannot_tell_success(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with staged(model='mute', success_threshold=-2.0) as stage:
        assert not stage.change(Transition.TRANSITION_CONFIGURE)
        assert stage.node.state == 'unconfigured'
        assert refusal(stage, success_threshold=-5.0) == ''
        assert stage.change(Transition.TRANSITION_CONFIGURE)
    lines = [line for line in capfd.readouterr().err.splitlines() if 'success_threshold' in line]
    assert len(lines) == 1 and 'toy cannot tell success' in lines[0]


def test_the_reward_model_is_a_parameter_of_loading() -> None:
    with staged(reward_model='topreward') as stage:
        assert "reward_model is 'magic'; expected one of auto" in refusal(
            stage, reward_model='magic'
        )
        assert refusal(stage, reward_model='robometer') == ''
        assert stage.change(Transition.TRANSITION_CONFIGURE)
        assert stage.node._scorer.options.reward_model == 'robometer'
        assert 'can be set while unconfigured' in refusal(stage, reward_model='auto')
