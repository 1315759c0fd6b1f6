# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`topreward play`: publisher, node and recorder over real DDS, and their output."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip('rclpy', reason='ROS 2 is not here: pip install .[kilted,test]')

from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from topreward_ros.commands.main import main
from topreward_ros.demo.example import COUNT, FPS, TASK
from topreward_ros.share import share_directory

from ..domains import COMMANDS_DOMAIN

ENVIRON = {
    **os.environ,
    'ROS_DOMAIN_ID': str(COMMANDS_DOMAIN),
    'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
}


def topreward(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, '-m', 'topreward_ros.commands.main', *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, env=ENVIRON, timeout=240, check=False, **options
    )


def read_bag(folder: Path) -> dict[str, list]:
    types = get_typestore(Stores.ROS2_JAZZY)
    for file in (share_directory() / 'msg').glob('*.msg'):
        types.register(get_types_from_msg(file.read_text(), f'topreward_ros/msg/{file.stem}'))
    messages: dict[str, list] = {}
    with Reader(folder) as reader:
        for connection, _, data in reader.messages():
            message = types.deserialize_cdr(data, connection.msgtype)
            messages.setdefault(connection.topic, []).append(message)
    return messages


@pytest.fixture(scope='module')
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The example, played with no arguments."""
    folder = tmp_path_factory.mktemp('played')
    result = topreward('play', cwd=folder)
    assert result.returncode == 0, result.stdout + result.stderr
    (saved,) = folder.glob('topreward_example_*')
    return saved, result.stdout


@pytest.mark.slow
def test_success_is_detected(played: tuple[Path, str]) -> None:
    folder, output = played
    assert 'success at' in output and 'mean nothing' not in output
    successes = read_bag(folder / 'bag')['/topreward/success_detected']
    assert [message.task for message in successes] == [TASK]


@pytest.mark.slow
def test_table_bag_and_plot_agree(played: tuple[Path, str]) -> None:
    folder, output = played
    with (folder / 'scores.csv').open(encoding='utf-8') as file:
        rows = list(csv.DictReader(file))
    progress = read_bag(folder / 'bag')['/topreward/progress']
    # Two frames per second; a busy machine may join a few in one score
    points = int(2 * (COUNT - 1) / FPS) + 1
    assert points // 2 <= len(rows) == len(progress) <= points
    for row, message in zip(rows, progress, strict=True):
        assert float(row['log_prob']) == pytest.approx(float(message.log_prob))
        assert int(row['frames']) == message.frames
        assert row['task'] == message.task == TASK
    # Every frame of the grid is in the last score, at its time
    assert points - 2 <= int(rows[-1]['frames']) <= points
    times = [float(row['time']) for row in rows]
    assert times == sorted(times) and times[0] == 0
    assert times[-1] == pytest.approx((points - 1) / 2, abs=0.1)
    assert f'{len(rows)} scores, the last of {rows[-1]["frames"]} frames' in ' '.join(
        output.split()
    )
    with Image.open(folder / 'progress.png') as picture:
        assert picture.width > 1000 and np.asarray(picture.convert('L')).std() > 10
    assert sorted(path.name for path in folder.iterdir()) == [
        'bag',
        'progress.png',
        'reward_node.log',
        'scores.csv',
        'summary.json',
    ]
    assert [path.name for path in sorted((folder / 'bag').iterdir())] == [
        'bag.mcap',
        'metadata.yaml',
    ]


@pytest.mark.slow
def test_faster_than_real_time_and_compressed(tmp_path: Path) -> None:
    for k in range(60):
        pixels = np.full((64, 96, 3), 4 * k, np.uint8)
        Image.fromarray(pixels).save(tmp_path / f'{k:03}.png')
    out = tmp_path / 'out'
    result = topreward(
        *('play', tmp_path, '--task', 'Turn on the light.', '--rate', 2, '--save', out),
        *('--image-transport', 'compressed', '--record-images', '--set', 'fps=4'),
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert 'for any other images its numbers mean nothing' in ' '.join(result.stdout.split())
    messages = read_bag(out / 'bag')
    progress = messages['/topreward/progress']
    # Two seconds at four frames a second, in the time of the clip
    assert 6 <= progress[-1].frames <= 8
    first, last = (m.header.stamp for m in (progress[0], progress[-1]))
    assert 1.4 < last.sec - first.sec + (last.nanosec - first.nanosec) / 1e9 < 2.0
    assert all(-0.1 < m.latency < 5 for m in progress)
    assert len(messages['/camera/image_raw/compressed']) >= 58


@pytest.mark.slow
def test_an_interrupted_run_saves_its_scores(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, '-m', 'topreward_ros.commands.main', 'play', '--save', 'out'],
        cwd=tmp_path,
        env=ENVIRON,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    log = tmp_path / 'out' / 'reward_node.log'
    end = time.monotonic() + 60
    while not (log.exists() and 'playing' in log.read_text()):
        assert time.monotonic() < end and process.poll() is None
        time.sleep(0.1)
    time.sleep(3)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    rows = (tmp_path / 'out' / 'scores.csv').read_text().splitlines()
    assert 3 < len(rows) < 15
    assert len(read_bag(tmp_path / 'out' / 'bag')['/topreward/progress']) == len(rows) - 1


@pytest.mark.slow
def test_a_broken_image_is_left_out_and_told(tmp_path: Path) -> None:
    folder = tmp_path / 'images'
    folder.mkdir()
    for k in range(75):
        Image.new('RGB', (64, 64), (3 * k, 90, 120)).save(folder / f'{k}.png')
    (folder / '60.png').write_bytes(b'no image')
    result = topreward(
        'play', 'images', '--task', 'Cost $5 of $6', '--save', 'out', '--set', 'fps=4', cwd=tmp_path
    )
    assert result.returncode == 0 and 'Traceback' not in result.stderr, result.stderr
    assert '1 images were skipped, such as: 60.png cannot be read' in result.stdout
    rows = (tmp_path / 'out' / 'scores.csv').read_text().splitlines()
    assert len(rows) > 4


@pytest.mark.parametrize(
    'wrong',
    [
        (('play', 'no.mp4', '--task', 'x'), 1, 'does not exist'),
        (('play', 'no.mp4'), 2, 'a clip needs a task'),
        (('play', '--rate', '0'), 2, 'not above 0'),
        (('play', '--save', '.'), 1, 'holds scores.csv already'),
        (('play', '--set', 'fsp=4'), 2, 'expected one of model, '),
        (('play', '--set', 'fps=a: ['), 2, 'cannot be read'),
        (('play', '--set', 'task=x'), 2, 'use --task'),
        (('play', '--set', 'autostart=false'), 2, 'always starts automatically'),
        (('play', '--save', 'scores.csv/below'), 1, 'cannot be created'),
        (('run', '--camera', 'x', '--set', 'log_prob_low=low'), 2, 'not a number'),
        (('run', '--camera', 'x', '--log-level', 'verbose'), 2, 'invalid choice'),
        (('run', '--camera', 'x', '--camera', 'y', '--params-file', 'one.yaml'), 2, 'use /**'),
    ],
)
def test_wrong_arguments(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    wrong: tuple[tuple[str, ...], int, str],
) -> None:
    """Checked before any process is started, so `main` is called directly."""
    arguments, code, reason = wrong
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'scores.csv').write_text('mine')
    (tmp_path / 'one.yaml').write_text('topreward:\n  ros__parameters:\n    fps: 4.0\n')
    try:
        assert main(list(arguments)) == code
    except SystemExit as ended:
        assert ended.code == code == 2
    assert (tmp_path / 'scores.csv').read_text() == 'mine'
    assert reason in capsys.readouterr().err


@pytest.mark.parametrize(
    ('arguments', 'reason'),
    [
        (('play', '--model', '/no/such/model'), 'is not a folder'),
        (('play', '--set', 'fps=0'), 'fps'),
        (('publish', 'no.mp4'), 'does not exist'),
        (('publish', '--topic', 'no topic'), 'no topic'),
        (('scene', '--topic', 'no topic'), 'no topic'),
        (('run', '--camera', 'x', '--namespace', 'no name'), 'no name'),
        (('run', '--camera', 'x', '--params-file', 'none.yaml'), 'none.yaml'),
        (('run', '--camera', 'x', '--model', '/no/such/model'), 'is not a folder'),
    ],
)
def test_arguments_that_a_node_rejects(
    tmp_path: Path, arguments: tuple[str, ...], reason: str
) -> None:
    result = topreward(*arguments, cwd=tmp_path)
    assert result.returncode != 0
    assert reason in result.stdout + result.stderr
    assert 'Traceback' not in result.stdout + result.stderr
