# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Tasks, episodes, true progress and images of the small world."""

from __future__ import annotations

import numpy as np
import pytest

from topreward_ros.demo.drawing import COLOR_BLOCKS, SceneRenderer
from topreward_ros.demo.scene import SceneEpisode
from topreward_ros.demo.table import others, progress
from topreward_ros.demo.tasks import (
    COLORS,
    KINDS,
    MORE_WORDINGS,
    PLACES,
    UNREAD_WORDINGS,
    WORDINGS,
    Task,
    all_tasks,
    known_tasks,
)

SEEDS = range(8)


def test_number_of_tasks_and_wordings() -> None:
    assert len(COLORS) >= 3 and len(PLACES) >= 4 and len(WORDINGS) == 3
    assert len(set(all_tasks())) == 45 and len(known_tasks()) == 38
    assert not set(UNREAD_WORDINGS) & {*WORDINGS, *MORE_WORDINGS}
    assert Task('red', 'yellow').say() == 'Put the red block next to the yellow block.'


@pytest.mark.parametrize('wrong', [('red', 'red'), ('red', 'moon'), ('plate', 'red')])
def test_invalid_tasks(wrong: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match=r'no task moves|next to itself'):
        Task(*wrong)


@pytest.mark.parametrize('kind', KINDS)
def test_a_seed_determines_an_episode(kind: str) -> None:
    one, same, other = (SceneEpisode(seed, kind) for seed in (7, 7, 8))
    assert one.task == same.task and one.start == same.start and one.seconds == same.seconds
    assert one.state(2.0) == same.state(2.0)
    assert one.start != other.start
    image = SceneRenderer(64, 64, one.appearance).take(one.state(1.0))
    assert np.array_equal(image, SceneRenderer(64, 64, same.appearance).take(same.state(1.0)))


@pytest.mark.parametrize('seed', SEEDS)
def test_progress_of_a_success_rises_to_one(seed: int) -> None:
    episode = SceneEpisode(seed, 'success')
    curve = [episode.progress(time) for time in episode.times(60)]
    assert curve[0] == 0.0 and curve[-1] > 0.97
    assert np.diff(curve).min() > -0.03  # a block may be set down a hair beside the middle


@pytest.mark.parametrize('seed', SEEDS)
def test_failures_fail(seed: int) -> None:
    ends = {kind: SceneEpisode(seed, kind) for kind in KINDS}
    final = {kind: episode.progress(episode.seconds) for kind, episode in ends.items()}
    assert final['still'] == 0.0
    assert 0.1 < final['short'] < 0.7
    assert final['wrong_object'] < 0.15 and final['wrong_target'] < 0.15
    undone = ends['undone']
    peak = max(undone.progress(time) for time in undone.times(200))
    assert peak > 0.8 and final['undone'] < 0.35


@pytest.mark.parametrize('seed', SEEDS)
def test_doing_one_task_is_no_progress_in_another(seed: int) -> None:
    episode = SceneEpisode(seed, 'success')
    alternatives = list(others(episode.task, episode.start))
    assert {what for what, _ in alternatives} == {'object', 'target'}
    for _, task in alternatives:
        assert episode.progress(episode.seconds, task) < 0.15


def test_progress_is_relative_to_the_beginning() -> None:
    episode = SceneEpisode(3, 'success')
    halfway = episode.state(2.2)
    assert 0.2 < progress(episode.task, episode.start, halfway) < 0.9
    assert progress(episode.task, halfway, halfway) == 0.0


def test_every_table_has_distractors() -> None:
    for seed in SEEDS:
        start = SceneEpisode(seed).start
        assert len(start.blocks) == 3 and len(start.places) == 4


def test_an_episode_of_a_given_task() -> None:
    for task in (Task('purple', 'box'), Task('green', 'red')):
        assert SceneEpisode(1, 'success', task).task == task


def test_an_unknown_kind_is_an_error() -> None:
    with pytest.raises(ValueError, match='expected one of success'):
        SceneEpisode(0, 'triumph')


@pytest.mark.parametrize('size', [(16, 16), (64, 64), (480, 640), (101, 77)])
def test_pictures_of_any_size(size: tuple[int, int]) -> None:
    image = SceneRenderer(*size).take(SceneEpisode(0).state(1.0))
    assert image.shape == (*size, 3) and image.dtype == np.uint8


def test_a_block_is_drawn_at_its_position() -> None:
    episode = SceneEpisode(5, 'success')
    camera = SceneRenderer(200, 200, episode.appearance, noise=0)
    for color, (x, y) in episode.start.blocks.items():
        seen = camera.take(episode.start)[round(200 * y), round(200 * x)].astype(int)
        nearest = min(COLOR_BLOCKS, key=lambda name: np.abs(seen - COLOR_BLOCKS[name]).sum())
        if color != episode.done.object:  # the arm may be above that one
            assert nearest == color
