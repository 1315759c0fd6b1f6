# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Commands with a reward model of choice, and with one that has no log-probability."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rosbags.highlevel import AnyReader

from topreward_ros.commands.main import main
from topreward_ros.results.plot import plot_run
from topreward_ros.results.score_table import COLUMNS, MODEL_COLUMNS, read_rows
from topreward_ros.results.scored_bag import TOPIC_EVENTS, TOPIC_PROGRESS, TOPIC_SUCCESS
from topreward_ros.results.video import write_image_bag
from topreward_ros.scoring.families import FAMILIES
from topreward_ros.scoring.loading.options import LoadOptions

from ..toy_scorer import ToyScorer

TASK = 'Make it bright.'
needs_ros = pytest.mark.skipif(importlib.util.find_spec('rclpy') is None, reason='ROS 2 is missing')


class MuteScorer(ToyScorer):
    tells_success = False


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[LoadOptions]:
    """How models are loaded in a test."""
    options: list[LoadOptions] = []

    def make(asked: LoadOptions) -> ToyScorer:
        options.append(asked)
        return ToyScorer(asked)

    monkeypatch.setitem(FAMILIES, 'toy', make)
    monkeypatch.setitem(FAMILIES, 'mute', MuteScorer)
    return options


@pytest.fixture
def bag(tmp_path: Path) -> Path:
    """A bag of images that grow brighter."""
    frames = (np.full((48, 64, 3), 23 * k, np.uint8) for k in range(12))
    write_image_bag(tmp_path / 'bag', frames, 4.0, TASK)
    return tmp_path / 'bag'


def score(bag: Path, *more: str, model: str = 'toy') -> int:
    save = str(bag.parent / 'out')
    return main(['score', str(bag), '--model', model, '--fps', '4', '--save', save, *more])


def messages(folder: Path, topic: str) -> list[Any]:
    with AnyReader([folder]) as reader:
        connections = [each for each in reader.connections if each.topic == topic]
        return [
            reader.deserialize(data, each.msgtype) for each, _, data in reader.messages(connections)
        ]


def stamp_of(message: Any) -> tuple[int, int]:
    return message.header.stamp.sec, message.header.stamp.nanosec


def test_a_scored_bag_says_whose_scores_it_has(bag: Path, loaded: list[LoadOptions]) -> None:
    assert score(bag, '--bag', '--set', 'success_threshold=-2.0') == 0
    (folder,) = bag.parent.glob('out/*/bag')
    progress = messages(folder, TOPIC_PROGRESS)
    assert len(progress) == 12 and {each.reward_model for each in progress} == {'toy'}
    assert [each.success for each in progress] == pytest.approx(
        [(23 * k / 255) ** 8 for k in range(12)], abs=1e-6
    )
    (success,) = messages(folder, TOPIC_SUCCESS)
    assert (success.reward_model, success.evidence) == ('toy', 'success')
    (event,) = messages(folder, TOPIC_EVENTS)
    assert (event.event, event.task) == ('success', success.task)
    assert stamp_of(event) == stamp_of(success)


def test_a_scored_bag_has_the_events_that_the_node_would_have_told(
    bag: Path, loaded: list[LoadOptions], capsys: pytest.CaptureFixture[str]
) -> None:
    """By the node's parameters, here of a progress that rises by 0.09 in 0.25 s."""
    assert score(bag, '--bag', '--set', 'stall_seconds=0.5', '--set', 'stall_rise=0.5') == 0
    (folder,) = bag.parent.glob('out/*/bag')
    stall, success = messages(folder, TOPIC_EVENTS)
    progress = messages(folder, TOPIC_PROGRESS)
    (at,) = (each for each in progress if stamp_of(each) == stamp_of(stall))
    assert (stall.event, success.event) == (
        'stalled',
        'success',
    ) and stall.seconds == pytest.approx(0.5)
    assert stall.progress == stall.highest == at.progress and at.frames == 3
    assert score(bag, '--bag', '--set', 'stall_seconds=-1') == 2
    assert 'stall_seconds is -1.0; expected 0 or more' in capsys.readouterr().err


def test_scores_of_an_older_version_get_their_reward_model(
    bag: Path, loaded: list[LoadOptions], capsys: pytest.CaptureFixture[str]
) -> None:
    assert score(bag, '--dense') == 0
    assert '12 scores, toy progress from 0.000 to' in capsys.readouterr().out
    (table,) = bag.parent.glob('out/**/scores.csv')
    lines = [line.split(',') for line in table.read_text(encoding='utf-8').splitlines()]
    kept = [k for k, name in enumerate(lines[0]) if name in (*COLUMNS, *MODEL_COLUMNS)]
    older = '\n'.join(','.join(line[k] for k in kept) for line in lines) + '\n'
    table.write_text(older, encoding='utf-8')
    assert score(bag, '--bag') == 0
    assert 'scored already' in capsys.readouterr().out
    (folder,) = bag.parent.glob('out/*/bag')
    assert {each.reward_model for each in messages(folder, TOPIC_PROGRESS)} == {'toy'}


def test_a_threshold_that_no_score_can_reach(
    bag: Path, loaded: list[LoadOptions], capsys: pytest.CaptureFixture[str]
) -> None:
    assert score(bag, '--bag', '--set', 'success_threshold=-2.0', model='mute') == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert 'success_threshold is -2.0, and toy cannot tell success' in line
    assert score(bag, '--bag', model='mute') == 0


@pytest.mark.parametrize('given', ['', 'robometer'])
def test_the_option_is_how_the_model_is_loaded(
    bag: Path, loaded: list[LoadOptions], given: str
) -> None:
    more = ('--reward-model', given) if given else ()
    assert score(bag, *more) == 0
    assert main(
        ['calibrate', str(bag), '--model', 'toy', '--save', str(bag.parent / 'c.yaml'), *more]
    ) in (0, 1)  # one recording may be too few
    assert [options.reward_model for options in loaded] == [given or 'auto'] * 2


@pytest.mark.parametrize('command', ['score', 'calibrate', 'evaluate', 'play', 'run', 'demo'])
def test_a_reward_model_that_does_not_exist(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([command, '--reward-model', 'magic'])
    assert "--reward-model: invalid choice: 'magic'" in capsys.readouterr().err


@needs_ros
def test_the_option_is_a_parameter_of_the_node(
    bag: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from topreward_ros.commands.play import run as play
    from topreward_ros.nodes.reward import node

    asked: list[Any] = []
    monkeypatch.setattr(play, 'play', asked.append)
    monkeypatch.setattr(node, 'run_nodes', lambda _a, _n, settings: asked.append(settings) or 0)
    for more in ((), ('--reward-model', 'robometer')):
        assert main(['play', 'a.mp4', '--task', TASK, '--model', 'm', *more]) == 0
        assert main(['run', '--camera', '/c', '--model', 'm', *more]) == 0
    names = [options.node_parameters.get('reward_model') for options in asked[::2]]
    assert names == [None, 'robometer']
    assert [settings.get('reward_model') for settings in asked[1::2]] == [None, 'robometer']
    assert main(['play', 'a.mp4', '--task', TASK, '--set', 'reward_model=robometer']) == 2
    assert 'use --reward-model' in capsys.readouterr().err


def test_a_plot_tells_progress_and_success_of_the_model(
    bag: Path, loaded: list[LoadOptions], monkeypatch: pytest.MonkeyPatch
) -> None:
    from topreward_ros.recordings.clip import Clip, paced
    from topreward_ros.results import plot

    figures: list[Any] = []
    assert score(bag, '--dense') == 0
    (table,) = bag.parent.glob('out/**/scores.csv')
    monkeypatch.setattr(plot, 'save_png', lambda figure, _: figures.append(figure))
    images = [np.zeros((48, 64, 3), np.uint8)] * 12
    clip = Clip('still', 4.0, 3.0, lambda: paced(iter(images), 4.0))
    rows = read_rows(table)
    plot_run(Path(), clip, rows)
    values = figures[0].axes[2]
    assert [line.get_label() for line in values.get_lines()] == ['progress', 'success']
    assert values.get_ylabel() == 'toy'


@pytest.mark.usefixtures('loaded')
def test_scores_of_the_last_frames(bag: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And the folder's scores are told apart from those of another history."""
    last = ('--dense', '--max-frames', '4', '--history', 'last')
    assert score(bag, *last) == 0
    frames = [row.score.frames for row in read_rows(bag.parent / 'out' / 'bag' / 'scores.csv')]
    assert frames == [1, 2, 3, *[4] * 9]
    capsys.readouterr()
    assert score(bag, *last[:-1], 'thin') != 0
    assert 'the history last instead of the history thin' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('arguments', 'reason'),
    [
        (('--history', 'first'), "invalid choice: 'first'"),
        (('--history', 'last', '--max-frames', '6'), 'expected a multiple of 4'),
        (('--history', 'last', '--as', 'lerobot'), '--as lerobot sets --history itself'),
    ],
)
@pytest.mark.usefixtures('loaded')
def test_a_history_that_cannot_be(
    bag: Path, arguments: tuple[str, ...], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = score(bag, *arguments)
    except SystemExit as end:
        code = int(end.code or 0)
    assert code != 0 and reason in capsys.readouterr().err
