# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Evaluations of the simulated world, figures of synthetic curves, and bad recordings."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from topreward_ros.commands.calibrate.attempts import attempt
from topreward_ros.commands.calibrate.make import make_calibration
from topreward_ros.commands.evaluate import command
from topreward_ros.commands.evaluate.figures import errors, order, published, success
from topreward_ros.commands.evaluate.measuring import (
    REAL,
    REPEATED,
    SHUFFLED,
    WRONG_TASK,
    Measurement,
    PrefixSampling,
    wrong_tasks,
)
from topreward_ros.commands.evaluate.methods import (
    LOG_PROB,
    MARGIN,
    METHODS,
    STATIC,
    Curve,
    LargeRewards,
    SampledRecording,
    TopReward,
    make_methods,
)
from topreward_ros.commands.evaluate.run import EvaluateOptions, EvaluationError, evaluate
from topreward_ros.commands.main import main
from topreward_ros.commands.score.clip_scores import Plan
from topreward_ros.demo.model import FOLDER
from topreward_ros.errors import ModelError
from topreward_ros.recordings.clip import Clip, ClipError
from topreward_ros.recordings.recording import Recording
from topreward_ros.results.calibration_file import CalibrationError
from topreward_ros.scoring.loading.checkpoint import load_checkpoint
from topreward_ros.scoring.reward_models.topreward.streaming import StreamingScorer
from topreward_ros.scoring.score import Episode, Identity, Scorer

from .demo_world import FPS, recording, recordings, unwatched

IDENTITY = Identity('m', 'f', 'l', 'w')
SAMPLING = PrefixSampling(fps=FPS, anchors=8)


class Brightness:
    """A method whose progress is the brightness; it records its calls."""

    names = ('brightness',)

    def __init__(self) -> None:
        self.calls: list[SampledRecording] = []

    def curves(self, recording: SampledRecording) -> Mapping[str, Curve]:
        self.calls.append(recording)
        values = np.array([recording.images[n - 1].mean() for n in recording.lengths])
        return {'brightness': Curve(recording.positions, values)}


def brightening(name: str, task: str, is_success: bool, top: int = 200) -> Recording:
    images = [np.full((32, 32, 3), round(k * top / 9), np.uint8) for k in range(10)]
    clip = Clip(name, FPS, 2.5, lambda: ((k / FPS, image) for k, image in enumerate(images)))
    return Recording(name, clip, task, is_success)


def figures(folder: Path) -> dict:
    return json.loads((folder / 'report.json').read_text(encoding='utf-8'))['figures']


def test_every_recording_has_its_controls(tmp_path: Path) -> None:
    method = Brightness()
    examples = [brightening('a', 'A', True), brightening('b', 'B', False, 100)]
    evaluate([method], IDENTITY, examples, EvaluateOptions(tmp_path, SAMPLING))
    real, repeated, shuffled, wrong = method.calls[:4]
    assert real.task == repeated.task == shuffled.task == 'A' and wrong.task == 'B'
    assert len({image.mean() for image in repeated.images}) == 1
    levels = [[image.mean() for image in each.images] for each in (real, shuffled)]
    assert sorted(levels[1]) == levels[0] != levels[1]
    result = figures(tmp_path)['order']['brightness']
    assert (
        result[REAL]['value'] == pytest.approx(1)
        and result[WRONG_TASK]['value'] == result[REAL]['value']
    )
    assert result[REPEATED]['count'] == 0 and result[REPEATED]['value'] is None
    assert result[SHUFFLED]['value'] < 0.9
    assert '| brightness | 1.000' in (tmp_path / 'report.md').read_text(encoding='utf-8')
    assert (tmp_path / 'curves.png').read_bytes().startswith(b'\x89PNG')
    assert (tmp_path / 'success.png').read_bytes().startswith(b'\x89PNG')


def test_stored_measurements_are_reused(tmp_path: Path) -> None:
    examples = [brightening('a', 'A', True), brightening('b', 'B', False)]
    options = EvaluateOptions(tmp_path, SAMPLING)
    evaluate([Brightness()], IDENTITY, examples[:1], options)
    method = Brightness()
    evaluate([method], IDENTITY, examples[:1], options)
    assert not method.calls
    first = figures(tmp_path)
    evaluate([method], IDENTITY, examples, options)  # the wrong task of a is another one now
    assert len(method.calls) == 8 and figures(tmp_path) != first


def test_another_recording_of_the_same_name_is_measured_again(tmp_path: Path) -> None:
    method, options = Brightness(), EvaluateOptions(tmp_path, SAMPLING)
    first = brightening('a', 'A', True)
    for origin in ({'bytes': 1}, {'bytes': 1}, {'bytes': 2}):
        evaluate([method], IDENTITY, [dataclasses.replace(first, origin=origin)], options)
    assert len(method.calls) == 8


def test_a_bad_recording_is_listed_and_does_not_end_the_run(tmp_path: Path) -> None:
    def broken():  # type: ignore[no-untyped-def]
        raise ClipError('it broke off')
        yield

    bad = Recording('bad', Clip('bad', 4.0, 2.0, broken), 'A')
    report, failed = evaluate(
        [Brightness()], IDENTITY, [bad, brightening('a', 'A', True)], EvaluateOptions(tmp_path)
    )
    assert failed == 1 and '- bad: it broke off' in report.read_text(encoding='utf-8')
    with pytest.raises(EvaluationError, match='no recording'):
        evaluate([Brightness()], IDENTITY, [bad], EvaluateOptions(tmp_path / 'other'))


def measured(
    name: str,
    values: Sequence[float],
    is_success: bool | None,
    truth: Sequence[float] | None = None,
    theirs: Sequence[float] | None = None,
) -> Measurement:
    curve = Curve(np.linspace(0, 1, len(values)), np.array(values, float))
    known = None if truth is None else np.array(truth, float)
    given = {} if theirs is None else {'topreward': np.array(theirs, float)}
    variations = (REAL, REPEATED, SHUFFLED, WRONG_TASK)
    curves = {each: {LOG_PROB: curve} for each in variations}
    return Measurement(name, range(1, len(values) + 1), 'A', is_success, known, given, curves)


def test_figures_of_synthetic_curves() -> None:
    good = [
        measured(f'g{k}', [-9, -5, -3 + k, -2 + k, -1], True, [0, 0, 0.5, 1, 1]) for k in range(3)
    ]
    bad = [measured('b', [-9, -8, -7, -6, -5], False, [0, 0, 0, 0, 0])]
    assert order([*good, *bad])[LOG_PROB][REAL].count == 3
    for figure in success([*good, *bad])[LOG_PROB].values():
        assert (figure.value, figure.count) == (1, 4)
    table = errors([*good, *bad], None)
    raw = table[f'{LOG_PROB}: min-max of the episode']
    assert raw['failures'].value == pytest.approx(0.5)  # its progress ends at 1
    # (0, 1/2, 3/4, 7/8, 1), (0, 1/2, 7/8, 1, 1) and (0, 4/9, 8/9, 1, 8/9) are the progress values
    gaps = [(1 / 2 + 1 / 4 + 1 / 8) / 5, (1 / 2 + 3 / 8) / 5, (4 / 9 + 7 / 18 + 1 / 9) / 5]
    assert raw['successes'].value == pytest.approx(np.mean(gaps))
    fixed = table[f'{LOG_PROB}: fixed range -25 to -5 nat']
    assert fixed['failures'].value == pytest.approx(0.9)


def test_against_published_curves() -> None:
    table = published([measured('g', [-9, -5, -1], None, [0, 0.5, 1], [0.0, 0.4, 1.0])])
    row = table['g']['topreward']
    assert row['difference'] == pytest.approx(0.1 / 3)
    assert row['its own error'] == pytest.approx(0.1 / 3)
    assert row['correlation'] > 0.99


def test_the_wrong_task_is_another_one() -> None:
    assert wrong_tasks([brightening(n, n, True) for n in 'aabc']) == ['b', 'b', 'c', 'a']
    for task in ('Close it.', 'Fold the towel', 'fold the towel.'):
        (alone,) = wrong_tasks([brightening('a', task, True)])
        assert 'drawer' in alone if 'towel' in task else 'towel' in alone
    assert wrong_tasks([]) == []


def test_sampling_is_even_in_time_and_bounded() -> None:
    sample = PrefixSampling(fps=2.0, max_frames=4, anchors=3).take(brightening('a', 'A', True))
    # Ten frames at 4 Hz on a grid of 1.6 Hz
    assert len(sample.images) == 4 and sample.lengths == [1, 2, 4]
    assert sample.positions.tolist() == pytest.approx([0, 0.75 / 2.5, 2.0 / 2.5])
    uneven = PrefixSampling(fps=3.0).take(brightening('a', 'A', True))
    assert [round(float(share * 2.5), 2) for share in uneven.shares] == [
        0,
        0.5,
        0.75,
        1,
        1.5,
        1.75,
        2,
    ]
    empty = Recording('e', Clip('e', 1.0, 1.0, lambda: iter(())), 'A')
    with pytest.raises(ClipError, match='no frames'):
        PrefixSampling().take(empty)


@pytest.mark.slow
def test_the_small_world(tmp_path: Path) -> None:
    """With the demo's model: order, controls, success and calibrated progress are good."""
    scorer = StreamingScorer(load_checkpoint(str(FOLDER)))
    some = recordings(range(800, 804), ['success'])
    calibration = make_calibration(
        [attempt(scorer, each, Plan(fps=FPS), unwatched) for each in some],
        [each.task for each in some],
        scorer.identity,
        FPS,
    )
    examples = [
        *recordings(range(810, 813), ['success']),
        *recordings(range(820, 823), ['short', 'still', 'wrong_object']),
    ]
    options = EvaluateOptions(tmp_path, SAMPLING, calibration)
    evaluate(make_methods(['topreward', 'lrm'], scorer), scorer.identity, examples, options)
    result = figures(tmp_path)
    voc = result['order'][LOG_PROB]
    assert voc[REAL]['value'] > 0.95
    assert voc[WRONG_TASK]['value'] < 0.8 and result['order'][STATIC][REPEATED]['count'] == 0
    for method in (LOG_PROB, STATIC, MARGIN):
        assert all(rule['value'] == 1 for rule in result['success'][method].values())
    assert {'LRM, completion', 'LRM, process', 'LRM, contrast', 'LRM, combined'} < set(
        result['order']
    )
    progress = result['progress']
    calibrated = progress[f'{LOG_PROB}: calibrated']['failures']['value']
    assert calibrated < progress[f'{LOG_PROB}: min-max of the episode']['failures']['value'] / 2
    assert calibrated < progress[f'{LOG_PROB}: fixed range -25 to -5 nat']['failures']['value'] / 2
    other = EvaluateOptions(tmp_path, PrefixSampling(fps=1.0), calibration)
    with pytest.raises(CalibrationError, match='here fps is 1'):
        evaluate([], scorer.identity, examples, other)


def test_generated_values_of_a_model_that_cannot_write(tmp_path: Path) -> None:
    """The demo's model gives no answer that can be parsed, and the report says so."""
    scorer = StreamingScorer(load_checkpoint(str(FOLDER)))
    methods = make_methods(['gvl'], scorer)
    sampling = PrefixSampling(fps=1.0, max_frames=4)
    evaluate(methods, scorer.identity, [recording(830)], EvaluateOptions(tmp_path, sampling))
    row = figures(tmp_path)['order']['GVL']
    assert row['answered']['value'] == 0 and row[REAL]['count'] == 0
    assert not math.isnan(row['answered']['value'])
    with pytest.raises(ValueError, match='magic'):
        make_methods(['magic'], scorer)


def test_unknown_methods_are_rejected(capsys: pytest.CaptureFixture[str]) -> None:
    assert tuple(METHODS) == command.METHODS
    with pytest.raises(SystemExit, match='2'):
        main(['evaluate', 'x', '--methods', 'magic'])
    message = capsys.readouterr().err
    assert 'magic' in message and all(name in message.splitlines()[-1] for name in METHODS)


def test_methods_that_the_model_supports() -> None:
    scorer = StreamingScorer(load_checkpoint(str(FOLDER)))
    assert [type(each) for each in make_methods(None, scorer)] == [TopReward, LargeRewards]
    silent = Silent()
    assert [type(each) for each in make_methods(None, silent)] == [TopReward]
    for name in ('lrm', 'gvl'):
        with pytest.raises(ModelError, match='cannot answer chat messages'):
            make_methods([name], silent)


class Silent(Scorer):
    """A scorer that cannot answer chat messages."""

    identity = IDENTITY

    def start(self, tasks: str | Sequence[str]) -> Episode:
        raise NotImplementedError
