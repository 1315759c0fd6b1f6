# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A scorer without a checkpoint, registered in one line, works everywhere unchanged."""

from __future__ import annotations

import csv
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image

from topreward_ros.commands.main import main
from topreward_ros.msg import Progress, SuccessDetected
from topreward_ros.nodes.common.qos import QOS_RESULT
from topreward_ros.nodes.reward.node import RewardNode
from topreward_ros.results.calibration_file import read_calibration
from topreward_ros.results.score_table import read_rows
from topreward_ros.scoring.families import FAMILIES

from ..toy_scorer import ToyScorer

TASK = 'Make it bright.'
FPS = 4
COUNT = 12


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FAMILIES, 'toy', ToyScorer)  # the only line needed


def level(k: int, best: float) -> int:
    return round(255 * best * k / (COUNT - 1))


def write_clip(folder: Path, best: float) -> Path:
    """A folder of images that grow brighter, up to `best`."""
    folder.mkdir(parents=True)
    for k in range(COUNT):
        pixels = np.full((48, 64, 3), level(k, best), dtype=np.uint8)
        PillowImage.fromarray(pixels).save(folder / f'{k:03}.png')
    return folder


def arguments(*more: object) -> list[str]:
    common = ['--model', 'toy', '--task', TASK, '--fps', FPS, '--folder-fps', FPS]
    return [str(part) for part in (*more, *common)]


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    for k in range(3):
        write_clip(tmp_path / 'clips' / 'success' / f'good{k}', 1.0 - k / 100)
        write_clip(tmp_path / 'clips' / 'failure' / f'bad{k}', 0.4 + k / 100)
    return tmp_path / 'clips'


def check_scores(folder: Path) -> None:
    rows = read_rows(folder / 'scores.csv')
    assert [row.score.frames for row in rows] == list(range(1, COUNT + 1))
    progress = [row.score.progress for row in rows]
    assert progress == pytest.approx([level(k, 1.0) / 255 for k in range(COUNT)])
    assert rows[-1].score.success == pytest.approx(1.0)
    assert rows[-1].score.parts == {'brightness': pytest.approx(1.0)}
    assert rows[0].score.log_prob is None and rows[0].score.log_prob_false is None
    assert [row.progress for row in rows] == pytest.approx(progress)
    with (folder / 'scores.csv').open(encoding='utf-8') as stream:
        assert next(csv.DictReader(stream))['log_prob'] == '', 'empty, not a placeholder number'


def test_score(clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = clips / 'success' / 'good0'
    save = tmp_path / 'out'
    assert main(arguments('score', clip, '--dense', '--overlay', '--save', save)) == 0
    check_scores(save / 'good0')
    assert (save / 'good0' / 'progress.png').stat().st_size > 1000
    assert (save / 'good0' / 'overlay.mp4').stat().st_size > 1000
    assert 'progress from 0.000 to 1.000' in capsys.readouterr().out
    assert main(arguments('score', clip, '--dense', '--overlay', '--save', save)) == 0
    assert 'scored already' in capsys.readouterr().out


@pytest.mark.slow
def test_score_with_ray(clips: Path, tmp_path: Path) -> None:
    pytest.importorskip('ray')
    clip, save = clips / 'success' / 'good0', tmp_path / 'out'
    assert main(arguments('score', clip, '--dense', '--save', save, '--ray', '--workers', 1)) == 0
    check_scores(save / 'good0')


def test_calibrate_and_evaluate(
    clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / 'toy.yaml'
    recordings = sorted((clips / 'success').iterdir())
    failed = sorted((clips / 'failure').iterdir())
    command = ['calibrate', *recordings, '--failed', *failed, '--save', file]
    assert main(arguments(*command)) == 0
    scale = read_calibration(file).plain
    assert scale.roc_auc == 1.0 and 0.42 < scale.threshold < 0.98
    assert scale.levels[0] == pytest.approx(0.0, abs=0.02)

    save = tmp_path / 'evaluation'
    assert main(arguments('evaluate', clips, '--calibration', file, '--save', save)) == 0
    report = json.loads((save / 'report.json').read_text(encoding='utf-8'))
    (method,) = report['figures']['order']
    assert report['figures']['order'][method]['real']['value'] == pytest.approx(1.0)
    assert report['figures']['success'][method]['held mean']['value'] == 1.0
    assert 'nat' not in method
    capsys.readouterr()
    # A method that it does not support is refused
    assert main(arguments('evaluate', clips, '--methods', 'lrm', '--save', save)) == 1
    assert 'cannot answer chat messages' in capsys.readouterr().err


class Listener(Node):
    """A camera, and a subscriber to the results of the node."""

    def __init__(self) -> None:
        super().__init__('toy_listener', namespace='/toy')
        self.progress: list[Progress] = []
        self.successes: list[SuccessDetected] = []
        self.images = self.create_publisher(Image, 'image', 10)
        name = 'topreward'
        self.create_subscription(Progress, f'{name}/progress', self.progress.append, QOS_RESULT)
        self.create_subscription(
            SuccessDetected, f'{name}/success_detected', self.successes.append, QOS_RESULT
        )

    def show(self, k: int) -> None:
        message = Image(height=48, width=64, encoding='rgb8', step=3 * 64)
        message.data = bytes([level(k, 1.0)]) * (48 * 64 * 3)
        stamp = message.header.stamp
        stamp.sec, stamp.nanosec = divmod(round(k * 1e9 / FPS), 10**9)
        self.images.publish(message)


@pytest.fixture
def stage() -> Iterator[tuple[Listener, RewardNode, SingleThreadedExecutor]]:
    settings = {'model': 'toy', 'task': TASK, 'fps': float(FPS), 'success_threshold': -2.0}
    parameters = [Parameter(name, value=value) for name, value in settings.items()]
    node = RewardNode(namespace='/toy', parameter_overrides=parameters)
    listener, executor = Listener(), SingleThreadedExecutor()
    for each in (node, listener):
        executor.add_node(each)
    executor.create_task(node.start_automatically)
    yield listener, node, executor
    executor.shutdown()
    node.close()
    for each in (node, listener):
        each.destroy_node()


def test_the_node(stage: tuple[Listener, RewardNode, SingleThreadedExecutor]) -> None:
    listener, node, executor = stage
    deadline = time.monotonic() + 30

    def spin_until(condition, publish=lambda: None) -> None:
        publish_time = 0.0
        while not condition():
            assert time.monotonic() < deadline, node.state
            # Repeated, as an image is lost until both sides have discovered each other
            if time.monotonic() - publish_time > 1.0:
                publish_time = time.monotonic()
                publish()
            executor.spin_once(timeout_sec=0.05)

    spin_until(lambda: node.state == 'active' and listener.images.get_subscription_count())
    for k in range(COUNT):
        spin_until(lambda k=k: len(listener.progress) > k, lambda k=k: listener.show(k))
    assert [message.progress for message in listener.progress] == pytest.approx(
        [level(k, 1.0) / 255 for k in range(COUNT)], abs=1e-6
    )
    assert {message.normalization for message in listener.progress} == {'model'}
    assert all(math.isnan(message.log_prob) for message in listener.progress)
    assert [message.reward for message in listener.progress[1:]] == pytest.approx(
        list(np.diff([level(k, 1.0) / 255 for k in range(COUNT)])), abs=1e-6
    )
    spin_until(lambda: listener.successes)
    assert len(listener.successes) == 1 and listener.successes[0].score >= -2.0
