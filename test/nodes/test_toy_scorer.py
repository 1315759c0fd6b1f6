# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A scorer without a checkpoint, registered in one line, works everywhere unchanged."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from topreward_ros.commands.main import main
from topreward_ros.results.calibration_file import read_calibration
from topreward_ros.results.score_table import read_rows
from topreward_ros.scoring.families import FAMILIES

from ..toy_scorer import ToyScorer
from .toy_stage import COUNT, FPS, TASK, level, staged


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FAMILIES, 'toy', ToyScorer)  # the only line needed


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
    assert {row.reward_model for row in rows} == {'toy'}
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


def test_the_node() -> None:
    with staged(success_threshold=-2.0) as stage:
        stage.start()
        messages = stage.show_all()
        levels = [level(k, 1.0) / 255 for k in range(COUNT)]
        assert [message.progress for message in messages] == pytest.approx(levels, abs=1e-6)
        assert {message.normalization for message in messages} == {'model'}
        assert all(math.isnan(message.log_prob) for message in messages)
        assert [message.reward for message in messages[1:]] == pytest.approx(
            list(np.diff(levels)), abs=1e-6
        )
        (success,) = stage.until(lambda: stage.listener.successes)
        assert success.score >= -2.0
