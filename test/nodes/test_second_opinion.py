# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Two reward models in one node: each on its own topic, the second one only where it is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from topreward_ros.commands.arguments import typed
from topreward_ros.demo.random_robometer import write_random_robometer
from topreward_ros.errors import ArgumentsError
from topreward_ros.msg import Progress
from topreward_ros.nodes.common.qos import QOS_RESULT
from topreward_ros.nodes.reward.settings import RewardSettings
from topreward_ros.scoring.families import load_scorer
from topreward_ros.scoring.loading.options import LoadOptions
from topreward_ros.scoring.score import Score

from .harness import TASK_TEXT, Harness, NodeProcess

COUNT = 8
LOADING_TIME = 120.0  # of two models on a busy machine [s]


def image(k: int) -> np.ndarray:
    return np.random.default_rng(k).integers(0, 256, (48, 64, 3), dtype=np.uint8)


@pytest.fixture(scope='module')
def robometer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('robometer') / 'one'
    write_random_robometer(folder)
    return folder


class Two(Harness):
    """A node with two models, and what the second one says."""

    def __init__(self, process: NodeProcess, name: str, camera: str) -> None:
        super().__init__(process, name, camera)
        self.second: list[Progress] = []
        topic = f'{name}/second/progress'
        self.node.create_subscription(Progress, topic, self.second.append, QOS_RESULT)

    def call(self, kind: Any, request: Any = None, seconds: float = LOADING_TIME) -> Any:
        return super().call(kind, request, seconds)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Two]]:
    started: list[Two] = []

    def start(**values: Any) -> Two:
        texts = {'diagnostics_period': 0.1, 'warm_up_size': '64x48', **values}
        settings = [part for each in texts.items() for part in ('-p', '{}:={}'.format(*each))]
        process = NodeProcess(tmp_path / 'node.log', *settings, '-r', '__ns:=/second')
        started.append(Two(process, '/second/topreward', '/second/image'))
        return started[-1]

    yield start
    for harness in started:
        harness.process.close()
        harness.close()


def activate(node: Two) -> None:
    assert node.change('configure') and node.change('activate'), node.output()
    node.open_camera()
    node.ask()


def expected(folder: Path, **options: Any) -> list[Score]:
    """Score each prefix of the images, as of an episode of its own."""
    episode, scores = load_scorer(LoadOptions(str(folder), **options)).start(TASK_TEXT), []
    for k in range(COUNT):
        episode.append(image(k), k / 2)
        scores.append(episode.score())
    return scores


def show_all(node: Two) -> list[Progress]:
    for k in range(COUNT):
        node.score(k / 2, pixels=image(k))
    return node.progress


def middle_band(values: list[float]) -> tuple[float, float]:
    """Return a band that holds some of these values, with room at its ends."""
    ordered = sorted(values)
    gaps = [(b - a, (a + b) / 2) for a, b in pairwise(ordered)]
    low, high = sorted(middle for _, middle in sorted(gaps)[-2:])
    return low, high


@pytest.mark.slow
def test_both_score_every_frame_as_they_would_alone(
    start: Callable[..., Two], checkpoint_folder: Path, robometer_folder: Path
) -> None:
    node = start(model=checkpoint_folder, second_opinion=robometer_folder)
    activate(node)
    show_all(node)
    node.until(lambda: len(node.second) == COUNT)
    both = zip(node.progress, node.second, expected(checkpoint_folder), strict=True)
    seconds = expected(robometer_folder)
    for k, (first, second, score) in enumerate(both):
        assert first.log_prob == pytest.approx(score.log_prob, abs=1e-3)
        assert second.progress == pytest.approx(seconds[k].progress, abs=1e-4)
        assert second.success == pytest.approx(seconds[k].success, abs=1e-4)
        assert (first.reward_model, second.reward_model) == ('topreward', 'robometer')
        assert first.header == second.header and first.frames == second.frames == k + 1
        assert (second.episode, second.task) == (1, TASK_TEXT)
        assert second.scene == Progress.SCENE_UNKNOWN
    node.until(lambda: node.fact('second opinions published') == str(COUNT))
    assert node.fact('second opinion by') == 'robometer'
    assert float(node.fact('second model time per score [s]')) > 0
    for name in ('model memory', 'second model memory'):
        parameters, caches = (part.split()[0] for part in node.fact(name).split(', '))
        assert float(parameters) > 0 and float(caches) > 0
    assert 'topreward: ' in node.output() and 'robometer: ' in node.output()
    assert 'reserved for caches' in node.output()


@pytest.mark.slow
def test_the_second_is_asked_where_the_first_is_unsure(
    start: Callable[..., Two], checkpoint_folder: Path, robometer_folder: Path
) -> None:
    """Its scores are of all frames so far, those included that it was not asked about."""
    firsts, seconds = expected(robometer_folder), expected(checkpoint_folder)
    # Both values of a Robometer are judged, so the band is made of their progress and success
    values = [value for score in firsts for value in (score.progress, score.success)]
    low, high = middle_band([value for value in values if value is not None])
    unsure = [
        k
        for k, score in enumerate(firsts)
        if any(low <= (value or 0.0) <= high for value in (score.progress, score.success))
    ]
    assert 0 < len(unsure) < COUNT, 'the band tells frames apart'
    node = start(
        model=robometer_folder,
        second_opinion=checkpoint_folder,
        second_opinion_band=f'[{low}, {high}]',
    )
    activate(node)
    show_all(node)
    node.until(lambda: len(node.second) >= len(unsure))
    node.spin(0.5)
    assert [message.frames - 1 for message in node.second] == unsure
    for message in node.second:
        score = seconds[message.frames - 1]
        assert message.log_prob == pytest.approx(score.log_prob, abs=1e-3)
        assert message.reward_model == 'topreward' and message.normalization == 'fixed'
    assert {message.reward_model for message in node.progress} == {'robometer'}
    node.until(lambda: node.fact('second opinions asked') == str(len(unsure)))


@pytest.mark.slow
def test_a_second_episode_and_the_same_model_twice(
    start: Callable[..., Two], checkpoint_folder: Path
) -> None:
    node = start(model=checkpoint_folder, second_opinion=checkpoint_folder)
    activate(node)
    for episode in (1, 2):
        if episode == 2:
            assert node.start_episode().success
        count = len(node.second)
        start_time = 10.0 * episode
        for k in range(3):
            node.score(start_time + k / 2, pixels=image(k))
        node.until(lambda count=count: len(node.second) == count + 3)
        for first, second in zip(node.progress[-3:], node.second[-3:], strict=True):
            assert second.episode == first.episode == episode
            assert second.log_prob == pytest.approx(first.log_prob, abs=1e-4)
            assert second.frames == first.frames
    assert node.change('deactivate') and node.change('cleanup')
    assert node.change('configure') and node.change('activate')


@pytest.mark.slow
def test_a_second_model_that_cannot_be_read(
    start: Callable[..., Two], checkpoint_folder: Path, tmp_path: Path
) -> None:
    node = start(model=checkpoint_folder, second_opinion=tmp_path / 'nothing')
    assert not node.change('configure')
    assert node.state() == 'unconfigured'
    errors = [line for line in node.output().splitlines() if 'ERROR' in line]
    assert len(errors) == 1 and 'second_opinion: ' in errors[0] and 'nothing' in errors[0]
    assert 'Traceback' not in node.output()
    assert node.set(second_opinion='') == ''
    assert node.change('configure'), 'the first one alone can be used'


@pytest.mark.parametrize('band', [(0.8, 0.2), (-0.1, 0.5), (0.5, 1.1), (0.5,), (float('nan'), 1.0)])
def test_a_band_that_is_none(band: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=r'second_opinion_band is .* the lower one first'):
        RewardSettings(second_opinion_band=band)


def test_what_the_second_model_is_loaded_with() -> None:
    settings = RewardSettings(
        model='a',
        adapter='b',
        max_pixels=4096,
        second_opinion='c',
        second_reward_model='robometer',
    )
    asked = settings.second_load_options
    assert (asked.model, asked.reward_model, asked.adapter) == ('c', 'robometer', None)
    assert asked.max_pixels == 4096 and settings.load_options.adapter == 'b'
    calibrated = RewardSettings(
        calibration='x', normalization='calibrated', length_bias='static', log_prob_low=-9.0
    )
    second = calibrated.second_reward
    assert (second.normalization, second.length_bias) == ('fixed', 'none')
    assert second.log_prob_low == -9.0


@pytest.mark.parametrize(
    ('text', 'value'), [('[0.3, 0.8]', (0.3, 0.8)), ('[0, 1]', (0.0, 1.0)), ('[]', ())]
)
def test_a_band_of_the_command_line(text: str, value: tuple[float, ...]) -> None:
    assert typed('second_opinion_band', text, RewardSettings.second_opinion_band) == value


@pytest.mark.parametrize('text', ['0.5', '[a, b]', '{0: 1}', '0.3 0.8', '[[0.3], 0.8]', '[', ''])
def test_no_band_of_the_command_line(text: str) -> None:
    with pytest.raises(ArgumentsError, match='is not a list of numbers such as'):
        typed('second_opinion_band', text, RewardSettings.second_opinion_band)
