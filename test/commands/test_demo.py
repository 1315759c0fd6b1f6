# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`topreward demo`: camera in, success out, over DDS; failing episodes stay undetected."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from PIL import Image

pytest.importorskip('rclpy', reason='ROS 2 is not here: pip install .[kilted,test]')

from topreward_ros.commands.demo.board import wrongly_judged
from topreward_ros.commands.demo.plot import EpisodeCurve
from topreward_ros.commands.demo.run import programme
from topreward_ros.demo.scene import SceneEpisode
from topreward_ros.demo.tasks import known_tasks
from topreward_ros.recordings.clip_source import open_clip

from .test_play import read_bag, topreward


@pytest.fixture(scope='module')
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp('demo') / 'saved'
    result = topreward('demo', '--headless', '--seed', 3, '--save', folder)
    log = (folder / 'nodes.log').read_text(encoding='utf-8')
    assert result.returncode == 0, result.stdout + result.stderr + log
    return folder, result.stdout


@pytest.mark.slow
def test_every_episode_is_judged_rightly(run: tuple[Path, str]) -> None:
    folder, output = run
    episodes = programme(3)
    with (folder / 'episodes.csv').open(encoding='utf-8') as file:
        rows = list(csv.DictReader(file))
    assert [row['task'] for row in rows] == [episode.task.say() for episode in episodes]
    outcomes = ['success' if episode.is_success else 'time is up' for episode in episodes]
    assert [row['outcome'] for row in rows] == outcomes
    assert {'success', 'time is up'} == set(outcomes)
    assert all(row['reset'] == 'done' for row in rows)
    assert output.count('right') == len(episodes)


@pytest.mark.slow
def test_the_bag_holds_the_messages_of_the_node(run: tuple[Path, str]) -> None:
    folder, _ = run
    bag = read_bag(folder / 'bag')
    successes = {message.task for message in bag['/topreward/success_detected']}
    expected = {episode.task.say() for episode in programme(3) if episode.is_success}
    assert successes == expected
    events = {(message.event, message.task) for message in bag['/topreward/events']}
    assert events >= {('success', task) for task in expected}
    progress = bag['/topreward/progress']
    assert {message.normalization for message in progress} == {'probability'}
    assert len(bag['/image_raw']) > 150
    with (folder / 'scores.csv').open(encoding='utf-8') as file:
        assert sum(1 for _ in csv.DictReader(file)) == len(progress)


@pytest.mark.slow
def test_plot_and_video(run: tuple[Path, str]) -> None:
    folder, _ = run
    with Image.open(folder / 'demo.png') as picture:
        assert picture.width > 1500 and len(picture.convert('L').getcolors(256) or []) > 100
    clip = open_clip(folder / 'demo.mp4')
    assert clip.seconds == pytest.approx(sum(e.seconds for e in programme(3)), abs=1.5)


@pytest.mark.slow
def test_a_folder_with_files_is_not_changed(run: tuple[Path, str]) -> None:
    result = topreward('demo', '--headless', '--save', run[0])
    assert result.returncode == 1 and 'is not an empty folder' in result.stderr


@pytest.mark.slow
def test_a_robometer_judges_them_rightly(tmp_path: Path) -> None:
    options = '--headless', '--seed', 3, '--reward-model', 'robometer'
    result = topreward('demo', *options, '--save', tmp_path / 'saved')
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count('right') == len(programme(3))


def test_programmes_mix_successes_and_failures() -> None:
    known = known_tasks()
    for seed in range(8):
        episodes = programme(seed)
        kinds = [episode.kind for episode in episodes]
        assert kinds.count('success') == 3 and len(set(kinds)) == 4
        assert all(episode.task in known for episode in episodes)


def test_a_wrong_verdict_counts() -> None:
    success, failure = SceneEpisode(1, 'success'), SceneEpisode(1, 'short')
    right = [
        EpisodeCurve(success, [1.0], [0.97], detected=1.0),
        EpisodeCurve(failure, [1.0], [0.3]),
    ]
    outcomes = ['success', 'time is up']
    assert wrongly_judged(right, outcomes, 2) == 0
    assert wrongly_judged([EpisodeCurve(success, [1.0], [0.5]), right[1]], outcomes, 2) == 1
    alarm = EpisodeCurve(failure, [1.0], [0.97], detected=1.0)
    assert wrongly_judged([right[0], alarm], outcomes, 2) == 1
    assert wrongly_judged([EpisodeCurve(failure, [], [])], ['time is up'], 1) == 1, 'no score'
    assert wrongly_judged(right, ['success', 'cut off'], 2) == 1
    assert wrongly_judged(right, ['time is up', 'time is up'], 2) == 1, 'the reset node missed it'
    assert wrongly_judged(right, outcomes, 3) == 1, 'one was not shown'


def test_known_tasks_are_listed() -> None:
    lines = topreward('demo', '--tasks').stdout.splitlines()
    assert lines == [task.say() for task in known_tasks()] and len(lines) == 38


def test_an_episode_as_a_file(tmp_path: Path) -> None:
    result = topreward(
        'scene', '--save', tmp_path / 'e.mp4', '--size', '96x64', '--kind', 'undone', '--seed', 9
    )
    assert result.returncode == 0 and '(undone at the end)' in result.stdout, result.stderr
    assert open_clip(tmp_path / 'e.mp4').seconds > 2
    result = topreward('scene', '--save', tmp_path / 'e.mp4')
    assert result.returncode == 1 and 'exists already' in result.stderr
