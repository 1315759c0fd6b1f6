# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A learner's reward from a running reward node equals that of a scorer in its own process."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip('gymnasium', reason='the extra "learning" is not installed')

from topreward_ros.demo.drawing import film
from topreward_ros.demo.model import SIDE, folder_for, settings_for
from topreward_ros.demo.scene import SceneEpisode
from topreward_ros.errors import NoRewardError
from topreward_ros.learning import LiveReward, RewardWrapper, ScorerReward
from topreward_ros.msg import Progress
from topreward_ros.reward.live import RewardOptions
from topreward_ros.scoring import LoadOptions, Sampling, load_scorer

from ..learning.environments import Film, Lamp
from .harness import Harness
from .test_lifecycle import AUTOSTART

TASKS = ('Light the lamp.', 'Put the block into the cup.')
TOLERANCE = 1e-4


def walk(env: RewardWrapper, actions: list[int]) -> list[tuple[float, dict[str, Any]]]:
    """Return the rewards, and what is told, of one episode; the first is of the reset."""
    _, info = env.reset(seed=0)
    told = [(0.0, info['topreward'])]
    for action in actions:
        _, reward, _, _, info = env.step(action)
        told.append((float(reward), info['topreward']))
    return told


def by_task(lamp: Lamp) -> str:
    return TASKS[lamp.tasks % len(TASKS)]


@pytest.fixture
def options() -> RewardOptions:
    """A range in which a random model's scores lie, so that rewards are not 0."""
    return RewardOptions(log_prob_low=-12.0, log_prob_high=-6.0, success_threshold=-6.5)


@pytest.fixture
def node(active: Harness, options: RewardOptions) -> Harness:
    values = dataclasses.asdict(options)
    assert active.change('deactivate')
    assert active.set(**values, max_frames=8) == ''
    assert active.change('activate')
    return active


@pytest.mark.parametrize('seconds', [0.5, 0.2])
def test_the_same_numbers_as_in_one_process(
    node: Harness, checkpoint_folder: Path, options: RewardOptions, seconds: float
) -> None:
    """Over episodes of two tasks, with pictures that are not due, and longer than max_frames."""
    scorer = load_scorer(LoadOptions(str(checkpoint_folder), 'cpu'))
    lamps = Lamp(), Lamp()
    here = ScorerReward(
        lamps[0],
        scorer,
        lambda _: by_task(lamps[0]),
        reward=options,
        sampling=Sampling(max_frames=8),
        seconds=seconds,
    )
    there = LiveReward(
        lamps[1], lambda _: by_task(lamps[1]), image_topic=node.camera, seconds=seconds
    )
    try:
        for _ in range(3):
            ours, live = (walk(env, [1, 1, 0] * 5) for env in (here, there))
            assert any(reward for reward, _ in ours), 'a test of zeros shows nothing'
            for (reward, told), (other, heard) in zip(ours, live, strict=True):
                assert other == pytest.approx(reward, abs=TOLERANCE)
                assert heard['progress'] == pytest.approx(told['progress'], abs=TOLERANCE)
                assert heard['age'] == told['age'] and heard['is_fresh'] == told['is_fresh']
                assert heard['scene'] == told['scene'] and heard['success'] == told['success']
        assert there.from_elsewhere == there.timeouts == 0
    finally:
        there.close()


def test_the_probability_of_success_counts_as_in_one_process(launch: Any) -> None:
    """Of the demo's Robometer, over an episode that succeeds."""
    settings = settings_for('robometer')
    values = {'model': folder_for('robometer'), 'reward_model': 'robometer', **settings}
    given = [part for name, value in values.items() for part in ('-p', f'{name}:={value}')]
    harness = launch(*AUTOSTART, *given)
    harness.until(lambda: harness.fact('state') == 'active')
    scorer = load_scorer(LoadOptions(str(folder_for('robometer')), 'cpu', reward_model='robometer'))
    episode = SceneEpisode(3, 'success')
    pictures, task = list(film(episode, 2.0, SIDE, SIDE)), episode.task.say()
    reading = RewardOptions(**settings)
    here, plain = (
        ScorerReward(Film(pictures), scorer, task, reward=reading, success_weight=weight)
        for weight in (2.0, 0.0)
    )
    there = LiveReward(
        Film(pictures),
        task,
        reward_node=harness.name,
        image_topic=harness.camera,
        success_weight=2.0,
    )
    ours, live, without = (
        [reward for reward, _ in walk(env, [0] * (len(pictures) - 1))]
        for env in (here, there, plain)
    )
    there.close()
    assert live == pytest.approx(ours, abs=TOLERANCE)
    assert sum(ours) > sum(without) + 1


def test_a_progress_of_another_picture_is_never_taken(node: Harness) -> None:
    """Not of a later stamp, which is counted, nor of another task or an episode before."""
    env = LiveReward(Lamp(), TASKS[0], image_topic=node.camera)
    publisher = node.node.create_publisher(Progress, f'{node.name}/progress', 10)
    try:
        env.reset()
        episode = env._link._episode
        future = Progress(task=TASKS[0], episode=episode, progress=5.0)
        future.header.stamp.sec = 2**31 - 1
        wrong = [
            future,
            Progress(task=TASKS[1], episode=episode, progress=6.0, header=future.header),
            Progress(task=TASKS[0], episode=episode - 1, progress=7.0, header=future.header),
        ]
        for message in wrong:
            publisher.publish(message)
        assert node.until(lambda: len([p for p in node.progress if p.progress > 1]) >= 3, 5)
        _, _, _, _, info = env.step(1)
        assert info['topreward']['is_fresh'] and info['topreward']['progress'] <= 1
        assert env.from_elsewhere == 1
    finally:
        env.close()
        node.node.destroy_publisher(publisher)


def test_a_node_that_says_nothing(active: Harness) -> None:
    """Scoring is paused: the first picture has no answer, and the next ones neither."""
    env = LiveReward(Lamp(), TASKS[0], image_topic='/elsewhere', timeout=1.0, on_timeout='zero')
    try:
        _, info = env.reset()
        assert info['topreward']['age'] == float('inf') and env.timeouts == 1
        _, reward, _, _, info = env.step(1)
        assert reward == 0 and not info['topreward']['is_fresh'] and env.timeouts == 2
        env._raises = True
        with pytest.raises(NoRewardError, match=r'no Progress of the picture .* within 1.0 s'):
            env.step(1)
    finally:
        env.close()


@pytest.mark.usefixtures('ros')
def test_no_reward_node_at_all() -> None:
    with pytest.raises(NoRewardError, match=r'/nobody did not answer within 0.5 s'):
        LiveReward(Lamp(), TASKS[0], reward_node='/nobody/', timeout=0.5)


@pytest.mark.parametrize(
    ('wrong', 'message'),
    [({'on_timeout': 'wait'}, 'expected raise or zero'), ({'timeout': 0.0}, 'more than 0')],
)
def test_options_that_do_not_exist(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LiveReward(Lamp(), TASKS[0], **wrong)
