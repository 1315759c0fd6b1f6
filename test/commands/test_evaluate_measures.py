# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Figures that say whether attempts are judged right, and when there is no interval."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from topreward_ros.commands.evaluate.detection import (
    ALARMS,
    DELAY,
    EARLY,
    F1,
    MISSES,
    detection,
    true_end,
    within_band,
)
from topreward_ros.commands.evaluate.figures import FAILED, order
from topreward_ros.commands.evaluate.intervals import (
    Figure,
    mean_figure,
    share_figure,
    two_sample_figure,
)
from topreward_ros.commands.evaluate.measuring import (
    CONTROLS,
    REAL,
    Measurement,
    PrefixSampling,
)
from topreward_ros.commands.evaluate.methods import LOG_PROB, STATIC, Curve
from topreward_ros.commands.evaluate.ranking import GAP, TAU, gaps, qualities, ranking
from topreward_ros.commands.evaluate.report import Evaluation, write_report
from topreward_ros.commands.evaluate.tables import table_lines
from topreward_ros.commands.main import main
from topreward_ros.reward.calibration import Calibration, LengthBias, Scale
from topreward_ros.reward.guarantee import Band, Guarantee
from topreward_ros.reward.metrics import roc_auc
from topreward_ros.scoring.score import Identity

COUNT = 11
RISING = np.linspace(-10, -1, COUNT)


def measurement(
    values: Sequence[float] | np.ndarray,
    is_success: bool | None,
    task: str = 'Lift it.',
    truth: Sequence[float] | None = None,
    other: Sequence[float] | None = None,
) -> Measurement:
    """A recording of 10 s; the second method has the `other` values."""
    positions = np.linspace(0, 1, len(values))
    curves = {
        LOG_PROB: Curve(positions, np.array(values, float)),
        STATIC: Curve(positions, np.array(values if other is None else other, float)),
    }
    return Measurement(
        name=f'{task} {is_success}',
        lengths=range(1, len(values) + 1),
        task=task,
        is_success=is_success,
        truth=None if truth is None else np.array(truth, float),
        published={},
        curves={each: curves for each in (REAL, *CONTROLS)},
        seconds=10.0,
    )


def calibration(**promises: Any) -> Calibration:
    scale = Scale((0.0, 1.0), (-10.0, -1.0), -2.0, 1.0, 0.0, 1.0, **promises)
    return Calibration(
        'm', 'f', 'l', 2.0, ('Lift it.',), 4, 4, 1, 2, scale, None, LengthBias((0.0,))
    )


def test_two_recordings_make_no_interval() -> None:
    two = mean_figure([0.996, 1.0])
    assert two.value == pytest.approx(0.998) and math.isnan(two.low) and math.isnan(two.high)
    lines = '\n'.join(table_lines('method', ['VOC'], {'a': {'VOC': two}}))
    assert '| a | 0.998 |' in lines and '- a: VOC 0.996, 1.000' in lines
    assert 'Fewer than 10 recordings of a kind make no interval. Their values:' in lines
    ten = mean_figure([0.1 * k for k in range(10)] + [math.nan])
    assert ten.low < ten.value < ten.high and (ten.count, ten.of) == (10, 11)
    lines = '\n'.join(table_lines('method', ['VOC'], {'a': {'VOC': ten}}))
    assert ' to ' in lines and 'Fewer' not in lines


def test_both_kinds_have_to_be_ten() -> None:
    many, few = [float(k) for k in range(10)], [float(k) for k in range(9)]
    assert math.isnan(two_sample_figure(roc_auc, many, few).low)
    assert two_sample_figure(roc_auc, many, many).low < 0.5
    lines = table_lines('m', ['AUC'], {'a': {'AUC': two_sample_figure(roc_auc, many, few[:2])}})
    assert lines[-2] == '- a: AUC successes 10 values / failures 0.000, 1.000'


def test_the_interval_of_no_alarm_is_not_empty() -> None:
    twenty = share_figure([False] * 20)
    assert (twenty.value, twenty.low) == (0, 0) and twenty.high == pytest.approx(0.168, abs=1e-3)
    nine = share_figure([True] + [False] * 8, 'failures')
    assert nine.value == pytest.approx(1 / 9) and math.isnan(nine.high)
    lines = table_lines('m', ['alarms'], {'a': {'alarms': nine}})
    assert lines[-2] == '- a: alarms 1 of 9 failures'
    assert share_figure([]).count == 0


def test_figures_without_a_value() -> None:
    flat, none = mean_figure([math.nan]), mean_figure([])
    lines = table_lines('m', ['a', 'b'], {'x': {'a': flat, 'b': none}})
    assert lines[2] == '| x | flat | - |' and lines[3:] == ['']
    assert Figure(math.nan, math.nan, math.nan, 0, 0).values == {}


def test_tau_is_between_attempts_at_the_same_task() -> None:
    good, bad = RISING, RISING - 5
    attempts = [
        measurement(good, True),
        measurement(bad, False, 'lift it'),  # the same task
        measurement(bad - 9, True, 'Drop it.'),  # no other attempt at it
        measurement(good, None),
    ]
    figure = ranking(attempts)[LOG_PROB][TAU]
    assert (figure.value, figure.count) == (1, 2) and math.isnan(figure.low)
    assert {kind: len(values) for kind, values in figure.values.items()} == {
        'of the better': 1,
        'of the worse': 1,
    }
    assert ranking([attempts[0], attempts[2]]) == {}


def test_better_is_further_where_the_truth_is_known() -> None:
    ends = [0.2, 0.9, 1.0, 0.98]
    attempts = [measurement(RISING + k, end == 1, truth=[0, end]) for k, end in enumerate(ends)]
    assert qualities(attempts).tolist() == ends
    figure = ranking(attempts)[LOG_PROB][TAU]
    # 1.0 and 0.98 are alike; 0.9 and 0.98 are not
    assert figure.value == 1 and figure.count == 4
    one_unknown = [*attempts, measurement(RISING, False)]
    assert qualities(one_unknown).tolist() == [0, 0, 1, 0, 0]
    assert np.isnan(qualities([measurement(RISING, None)])).all()


def test_tau_has_an_interval_from_ten_of_each_kind_on() -> None:
    random = np.random.default_rng(0)
    attempts = [
        measurement(RISING + random.normal(2 * good, 2), good)
        for good in (True, False)
        for _ in range(10)
    ]
    figure = ranking(attempts)[LOG_PROB][TAU]
    assert figure.low < figure.value < figure.high <= 1 and figure.low > -1
    assert math.isnan(ranking(attempts[1:])[LOG_PROB][TAU].low)


def test_the_gap_is_of_the_ends() -> None:
    attempts = [
        measurement([-25] * 8 + [-5, -10, -15], True),
        measurement([-25] * 11, False),
        measurement([-15] * 11, False),
        measurement([-5] * 11, None),
    ]
    table = gaps(attempts, None)
    fixed = table[f'{LOG_PROB}: fixed range -25 to -5 nat'][GAP]
    assert fixed.value == pytest.approx(0.75 - 0.25) and fixed.count == 3
    # Failures have no progress by min-max where they are flat
    assert table[f'{LOG_PROB}: min-max of the episode'][GAP].count == 0


@pytest.mark.parametrize(
    ('truth', 'end'),
    [
        ([0, 0.5, 1], 0.99),
        ([0, 1, 1, 1, 1], 0.2475),
        ([0, 0, 0.5, 0.5], (1 + 0.99) / 3),
        ([1, 1], 0.0),
        ([0, 1, 0], 0.495),
    ],
)
def test_the_true_end(truth: list[float], end: float) -> None:
    assert true_end(np.array(truth, float)) == pytest.approx(end)


def test_the_true_end_of_nothing_done() -> None:
    assert math.isnan(true_end(np.zeros(3)))


def test_detection_at_the_calibrated_threshold() -> None:
    """Window 1, hold 2 and -2 nat, on eleven scores of ten seconds."""
    late = [-9.0] * 8 + [-1, -1, -1]  # detected at 9 s
    truth = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1]  # done at 7.99 s
    early = [-1.0] * 11  # at 1 s
    attempts = [
        measurement(late, True, truth=truth),
        measurement(early, True, truth=truth),
        measurement([-9.0] * 11, True, truth=truth),  # missed
        measurement(late, False),  # a false alarm
        *[measurement([-9.0] * 11, False) for _ in range(3)],
        measurement(late, None),
    ]
    table = detection(attempts, calibration())
    row = table[f'{LOG_PROB}: calibrated']
    assert row[MISSES].value == pytest.approx(1 / 3) and row[ALARMS].value == 0.25
    assert row[F1].value == pytest.approx(2 * 3 / (2 * 3 + 1 + 1)) and row[F1].count == 7
    assert row[DELAY].values[''] == pytest.approx([1.01, -6.99])
    assert row[EARLY].value == 0.5
    assert f'{STATIC}: calibrated' not in table and len(table) == 3


def test_without_truth_there_is_no_delay() -> None:
    attempts = [measurement(RISING, True), measurement(RISING - 5, False)]
    row = detection(attempts, calibration())[f'{LOG_PROB}: calibrated']
    assert row[DELAY].count == row[EARLY].count == 0
    assert math.isnan(detection(attempts[:1], calibration())[f'{LOG_PROB}: calibrated'][F1].value)


def test_no_recording_is_judged_by_itself() -> None:
    """The threshold is that of the others: an odd one out is called what it looks like."""
    good = [measurement(np.full(11, -1.0 - k / 10), True, other=RISING) for k in range(3)]
    bad = [measurement(np.full(11, -5.0 + k / 10), False, other=RISING) for k in range(3)]
    odd = measurement(np.full(11, -1.05), False, other=RISING)
    row = detection([*good, *bad, odd], None)[f'{LOG_PROB}: threshold of the others']
    assert (row[ALARMS].value, row[ALARMS].count) == (0.25, 4)
    # A method that tells nothing apart detects nothing
    blind = detection([*good, *bad], None)[f'{STATIC}: threshold of the others']
    assert (blind[ALARMS].value, blind[MISSES].value) == (0, 1)
    # Nothing to learn from: one of a kind, or none
    assert detection([good[0], bad[0], bad[1]], None) == {}
    assert detection(good, None) == {}


def test_shares_within_the_band() -> None:
    band = Band(0.3, 0.2, 0.95, 20, 0)
    attempts = [
        measurement(RISING, True),
        measurement(np.full(11, -10.0), True),
        measurement(RISING, False),
    ]
    assert within_band(attempts, calibration(band=band)) == {
        f'{LOG_PROB}: calibrated': (0.3, [True, False])
    }
    assert within_band(attempts, calibration()) == {}


def report(folder: Path, attempts: list[Measurement], made: Calibration | None = None) -> str:
    evaluation = Evaluation(Identity('m', 'f', 'l', 'w'), PrefixSampling(), made, (), {})
    return write_report(folder, attempts, evaluation).read_text(encoding='utf-8')


def test_the_report_says_that_failures_score_high_on_voc(tmp_path: Path) -> None:
    bad = [measurement(RISING - 5, False), measurement(RISING[::-1], False)]
    attempts = [measurement(RISING, True), *bad]
    assert order(attempts)[LOG_PROB][FAILED].value == pytest.approx(0)
    text = report(tmp_path, attempts)
    assert '1 of 2 failed recordings have a VOC of 0.8 or more with TOPReward' in text
    assert 'not whether the task was done' in text
    alone = report(tmp_path / 'alone', attempts[:1])
    assert FAILED not in alone and 'whether the task' not in alone
    stored = json.loads((tmp_path / 'report.json').read_text(encoding='utf-8'))['figures']
    assert stored['order'][LOG_PROB][FAILED]['values'][''] == pytest.approx([1, -1])
    assert stored['detection'] == {} and stored['ranking'][LOG_PROB][TAU]['value'] == 1


def test_the_report_tells_what_the_calibration_promises(tmp_path: Path) -> None:
    attempts = [measurement(RISING, True), measurement(RISING - 5, False)]
    guarantee = Guarantee(0.2, 0.95, 12, 0, 8, 0)
    made = calibration(guarantee=guarantee, band=Band(0.3, 0.2, 0.95, 20, 0))
    text = report(tmp_path, attempts, made)
    assert 'with confidence 95%, at most 20% of new episodes without success' in text
    assert '12 failed, 0 of other tasks, 8 unfinished beginnings' in text
    assert 'progress of 1 of 1 successes stays within 0.300' in text
    assert 'promises' not in report(tmp_path / 'none', attempts, calibration())


def test_prefixes_that_are_left_out_are_told(tmp_path: Path) -> None:
    attempts = [measurement(RISING, True), measurement(RISING - 5, False)]
    assert '--dense' not in report(tmp_path, attempts, calibration())
    some = [dataclasses.replace(each, lengths=range(2, 24, 2)) for each in attempts]
    text = report(tmp_path / 'some', some, calibration())
    assert 'over 11 prefixes of up to 22 frames' in text and '--dense' in text


@pytest.mark.slow
def test_every_prefix_is_evaluated_with_dense(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clips = str(tmp_path / 'clips')
    scene = ['scene', '--episodes', '2', '--kind', 'success', '--save', clips, '--fps', '6']
    assert main([*scene, '--size', '64x64']) == 0
    for options, most in (((), 3), (('--dense',), 8)):
        save = ['--save', str(tmp_path / f'out{most}'), '--anchors', '3', '--max-frames', '8']
        assert main(['evaluate', clips, *save, '--methods', 'topreward', *options]) == 0
        for file in (tmp_path / f'out{most}' / 'recordings').rglob('*.json'):
            stored = json.loads(file.read_text(encoding='utf-8'))
            assert len(stored['lengths']) == most
    assert 'make no interval' in capsys.readouterr().out
