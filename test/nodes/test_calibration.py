# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The node uses a calibration, and refuses one for another model, layout or rate."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
from std_msgs.msg import String

from topreward_ros.results.calibration_file import write_calibration
from topreward_ros.reward.calibration import Calibration, LengthBias, Scale
from topreward_ros.scoring.families import load_scorer
from topreward_ros.scoring.loading.options import LoadOptions

from .harness import TASK_TEXT, Harness

LEVELS = (-40.0, -20.0, -10.0, -1.0)
POINTS = (0.0, 0.3, 0.6, 1.0)
STEP = -5.0  # of the length bias at the second frame [nat]


@pytest.fixture
def calibration(checkpoint_folder: Path) -> Calibration:
    identity = load_scorer(LoadOptions(str(checkpoint_folder), 'cpu')).identity  # as the node's
    scale = Scale(POINTS, LEVELS, -0.5, math.nan, 0.2, 1.0)
    return Calibration(
        model='tiny',
        fingerprint=identity.fingerprint,
        layout=identity.layout,
        fps=2.0,
        tasks=(TASK_TEXT,),
        successes=4,
        failures=0,
        window=1,
        hold=1,
        plain=scale,
        static=dataclasses.replace(scale, threshold=-6.0),
        bias=LengthBias((0.0, STEP)),
    )


def progress_of(log_prob: float) -> float:
    return float(np.interp(log_prob, LEVELS, POINTS))


def test_progress_and_success_by_a_calibration(
    unconfigured: Harness, calibration: Calibration, tmp_path: Path
) -> None:
    node, file = unconfigured, tmp_path / 'calibration.yaml'
    write_calibration(file, calibration)
    assert node.set(calibration=str(file)) == ''
    assert node.set(normalization='calibrated') == ''
    assert node.change('configure') and node.change('activate')
    node.open_camera()
    node.ask()
    first = node.score(1.0)
    assert first.normalization == 'calibrated'
    assert first.progress == pytest.approx(progress_of(first.log_prob), abs=1e-5)
    assert node.fact('calibration') == str(file)
    assert not node.successes

    assert node.set(length_bias='static') == ''
    assert node.start_episode().success
    node.score(2.0)
    second = node.score(2.5)
    assert second.frames == 2
    assert second.progress == pytest.approx(progress_of(second.log_prob - STEP), abs=1e-5)
    # The threshold is reached at the second frame, and not before, with the bias subtracted.
    assert second.log_prob < -6.0 < second.log_prob - STEP
    node.until(lambda: node.successes)
    assert node.successes[0].threshold == -6.0
    assert 'made for other tasks' not in node.output()
    node.ask('Another task.')
    node.until(lambda: 'made for other tasks' in node.output())


def test_the_model_is_asked_in_the_wording_that_was_calibrated(
    unconfigured: Harness, calibration: Calibration, checkpoint_folder: Path, tmp_path: Path
) -> None:
    """And progress is of true minus false; messages keep the task as it was given."""
    node, file, wording = unconfigured, tmp_path / 'calibration.yaml', 'The robot should {task}'
    changed = dataclasses.replace(calibration, wording=wording, value='true_minus_false')
    write_calibration(file, changed)
    assert node.set(calibration=str(file)) == ''
    assert not node.change('configure')
    assert 'set normalization to calibrated' in node.output()
    assert node.set(normalization='calibrated') == ''
    assert node.change('configure') and node.change('activate')
    node.open_camera()
    node.ask()
    first = node.score(1.0)
    assert first.task == TASK_TEXT and 'made for other tasks' not in node.output()
    difference = first.log_prob - first.log_prob_false
    assert first.progress == pytest.approx(progress_of(difference), abs=1e-5)
    worded = first.log_prob
    node.tasks.publish(String(data='a' * 990))  # which is short enough by itself
    node.until(lambda: 'task refused: the task has 1007 characters' in node.output())
    assert node.change('deactivate') and node.change('cleanup')
    write_calibration(file, calibration)
    assert node.change('configure') and node.change('activate')
    node.ask()
    node.progress.clear()
    assert node.score(1.0).log_prob != pytest.approx(worded, abs=1e-3)


@pytest.mark.parametrize(
    ('change', 'reason'),
    [
        ({'fingerprint': 'abc'}, 'another model'),
        ({'layout': 'topreward-0'}, 'prompt layout'),
        ({'layout': 'topreward-1, 393216 pixels'}, 'prompt layout'),  # of frame_fit aspect
        ({'fps': 4.0}, 'here fps is 2'),
        (None, 'cannot be read'),
    ],
)
def test_one_of_another_model_layout_or_rate_is_refused(
    unconfigured: Harness,
    calibration: Calibration,
    tmp_path: Path,
    change: dict | None,
    reason: str,
) -> None:
    file = tmp_path / 'calibration.yaml'
    if change is not None:
        write_calibration(file, dataclasses.replace(calibration, **change))
    assert unconfigured.set(calibration=str(file)) == ''
    assert not unconfigured.change('configure')
    assert reason in unconfigured.output() and unconfigured.state() == 'unconfigured'


def test_the_rate_may_not_change_behind_its_back(
    unconfigured: Harness, calibration: Calibration, tmp_path: Path
) -> None:
    file = tmp_path / 'calibration.yaml'
    write_calibration(file, calibration)
    assert unconfigured.set(calibration=str(file)) == ''
    assert unconfigured.change('configure')
    assert unconfigured.set(fps=1.0) == ''
    assert not unconfigured.change('activate')
    assert 'here fps is 1' in unconfigured.output() and unconfigured.state() == 'inactive'


def test_a_bias_that_was_not_calibrated_is_refused(
    unconfigured: Harness, calibration: Calibration, tmp_path: Path
) -> None:
    node, file = unconfigured, tmp_path / 'calibration.yaml'
    write_calibration(file, dataclasses.replace(calibration, static=None))
    assert node.set(calibration=str(file)) == '' and node.set(length_bias='static') == ''
    assert not node.change('configure')
    assert 'use none, or another model' in node.output() and node.state() == 'unconfigured'
    assert node.set(length_bias='none') == ''
    assert node.change('configure')
    assert 'use none, or another model' in node.set(length_bias='static')
    assert node.change('activate')
    assert 'use none, or another model' in node.set(length_bias='static')
    node.open_camera()
    node.ask()
    assert node.score(1.0).frames == 1


def test_what_needs_a_calibration_is_refused_without(unconfigured: Harness) -> None:
    for name, value in (('normalization', 'calibrated'), ('length_bias', 'static')):
        assert 'needs a calibration' in unconfigured.set(**{name: value})
