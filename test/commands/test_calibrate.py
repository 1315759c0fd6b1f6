# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Calibration on some episodes brings the progress of others closer to the truth."""

from __future__ import annotations

import dataclasses
import io
import itertools
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from safetensors.torch import load_file, save_file

from topreward_ros.commands.calibrate.attempts import attempt, attempts_of, static_scores
from topreward_ros.commands.calibrate.make import describe, make_calibration
from topreward_ros.commands.score.clip_scores import Plan
from topreward_ros.commands.score.episode import EpisodeScoring
from topreward_ros.demo.model import FOLDER
from topreward_ros.recordings.clip import Clip, ClipError
from topreward_ros.results.calibration_file import (
    CalibrationError,
    check_calibration,
    read_calibration,
    write_calibration,
)
from topreward_ros.reward.calibration import Calibration
from topreward_ros.reward.fit_scale import Attempt
from topreward_ros.reward.live import RewardOptions
from topreward_ros.reward.success import SuccessDetector
from topreward_ros.scoring.loading.checkpoint import Checkpoint, load_checkpoint
from topreward_ros.scoring.reward_models.topreward.recompute import RecomputeScorer
from topreward_ros.scoring.reward_models.topreward.streaming import StreamingScorer
from topreward_ros.scoring.score import Identity, Score

from .demo_world import FPS, recording, recordings, unwatched

PLAN = Plan(fps=FPS)
FAILURES = ('short', 'wrong_object', 'wrong_target', 'still')


@pytest.fixture(scope='module')
def demo() -> Checkpoint:
    return load_checkpoint(str(FOLDER))


@pytest.fixture(scope='module')
def calibration(demo: Checkpoint) -> Calibration:
    scorer = StreamingScorer(demo)
    examples = [*recordings(range(600, 606), ['success']), *recordings(range(610, 614), FAILURES)]
    attempts = [attempt(scorer, each, PLAN, unwatched) for each in examples]
    return make_calibration(attempts, [each.task for each in examples], scorer.identity, FPS)


def mean_error(calibration: Calibration, scorer: StreamingScorer, options: RewardOptions) -> float:
    """Return the mean absolute error of live progress over episodes not calibrated on."""
    errors = []
    for each in [*recordings(range(700, 706), ['success']), *recordings(range(710, 714), FAILURES)]:
        tried = attempt(scorer, each, PLAN, unwatched)
        live = options.start(calibration)
        curve = [live.update(Score(n, float(p))) for n, p in enumerate(tried.log_probs, start=1)]
        progress = np.array([step.progress for step in curve])
        assert each.truth is not None
        at = np.linspace(0, 1, len(progress))
        truth = np.interp(at, np.linspace(0, 1, len(each.truth)), each.truth)
        errors.append(np.abs(progress - truth).mean())
    return float(np.mean(errors))


@pytest.mark.slow
def test_calibrated_progress_is_nearer_to_the_truth(
    calibration: Calibration, demo: Checkpoint
) -> None:
    scorer = StreamingScorer(demo)
    fixed = mean_error(calibration, scorer, RewardOptions('fixed'))
    plain = mean_error(calibration, scorer, RewardOptions('calibrated'))
    static = mean_error(calibration, scorer, RewardOptions('calibrated', length_bias='static'))
    assert plain < fixed / 3 and static < fixed / 3
    assert plain < 0.15 and static < 0.15


def test_its_threshold_separates_new_attempts(calibration: Calibration, demo: Checkpoint) -> None:
    assert calibration.successes == 6 and calibration.failures == 4
    assert calibration.plain.roc_auc == calibration.plain.detected == 1
    scorer = StreamingScorer(demo)
    for each in [*recordings(range(720, 723), ['success']), *recordings(range(730, 734), FAILURES)]:
        live = RewardOptions().start(calibration)
        log_probs = attempt(scorer, each, PLAN, unwatched).log_probs
        detected = any([live.update(Score(1, float(p))).success for p in log_probs])
        assert detected is each.is_success, each.name


def test_the_static_curve_is_that_of_a_still_image(demo: Checkpoint) -> None:
    each = recording(640)
    _, image = next(iter(each.clip.frames()))
    curve = static_scores(StreamingScorer(demo), image, 5, each.task, 2.0)
    episode = RecomputeScorer(demo).start(each.task)
    for k in range(5):
        episode.append(image, k / 2)
        assert curve[k].log_prob == pytest.approx(episode.score().log_prob, abs=1e-4)


def test_the_file_is_read_back_unchanged(calibration: Calibration, tmp_path: Path) -> None:
    file = tmp_path / 'new' / 'calibration.yaml'
    write_calibration(file, calibration)
    back = read_calibration(file)
    assert back == calibration
    undefined = dataclasses.replace(calibration.plain, roc_auc=math.nan)
    write_calibration(file, dataclasses.replace(calibration, plain=undefined, static=None))
    assert math.isnan(read_calibration(file).plain.roc_auc)
    assert read_calibration(file).static is None
    assert 'history' not in file.read_text(encoding='utf-8'), 'as all calibrations once were'
    last = dataclasses.replace(calibration, history='last 8')
    write_calibration(file, last)
    assert read_calibration(file) == last
    with pytest.raises(CalibrationError, match=r'here it is thin\. Calibrate again'):
        check_calibration(last, FPS)
    other = dataclasses.replace(calibration, wording='Did it {task}', value='true_minus_false')
    write_calibration(file, other)
    assert read_calibration(file) == other


@pytest.mark.parametrize('change', [{'wording': 'x'}, {'wording': None}, {'value': 'false'}])
def test_wordings_and_values_that_are_none(
    calibration: Calibration, change: dict[str, Any], tmp_path: Path
) -> None:
    file = tmp_path / 'calibration.yaml'
    write_calibration(file, calibration)
    (name, value), *_ = change.items()
    file.write_text(f'{file.read_text(encoding="utf-8")}{name}: {value}\n', encoding='utf-8')
    with pytest.raises(CalibrationError, match='is not a calibration'):
        read_calibration(file)


def test_files_that_are_not_calibrations(calibration: Calibration, tmp_path: Path) -> None:
    file = tmp_path / 'calibration.yaml'
    with pytest.raises(CalibrationError, match='cannot be read'):
        read_calibration(file)
    write_calibration(file, calibration)
    whole = file.read_text(encoding='utf-8')
    for broken in (
        '',
        '[1, 2]',
        ': : :',
        whole.replace('fps:', 'rate:'),
        whole.replace('curve:', 'curve: x #'),
        whole.replace('threshold:', 'threshold: .nan #'),
        whole.replace('hold: 2', 'hold: 2\nhush: 3'),
        whole.replace('hold: 2', 'hold: 0'),
        whole.replace('fps: 4.0', "fps: '4'"),
    ):
        file.write_text(broken, encoding='utf-8')
        with pytest.raises(CalibrationError, match='is not a calibration'):
            read_calibration(file)
    file.write_text(whole.replace('version: 1', 'version: 9'), encoding='utf-8')
    with pytest.raises(CalibrationError, match='version 9'):
        read_calibration(file)


def test_nothing_to_calibrate_on() -> None:
    with pytest.raises(CalibrationError, match='no recording'):
        make_calibration([], [], Identity('m', 'f', 'l', 'w'), 2.0)


def identity(checkpoint: Checkpoint, **options: Any) -> Identity:
    """Return the identity of the scorer loaded with these options."""
    asked = dataclasses.replace(checkpoint.options, **options)
    return StreamingScorer(dataclasses.replace(checkpoint, options=asked)).identity


def test_models_have_different_identities(
    demo: Checkpoint, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    import shutil

    assert identity(demo).fingerprint != identity(checkpoint).fingerprint
    copy = tmp_path / 'copy'
    shutil.copytree(FOLDER, copy)
    moved = dataclasses.replace(demo, folder=copy)
    assert identity(moved, model='elsewhere').fingerprint == identity(demo).fingerprint
    weights = copy / 'model.safetensors'
    data = load_file(weights)
    data['model.language_model.layers.2.mlp.up_proj.weight'] *= 1.01
    save_file(data, weights, metadata={'format': 'pt'})
    assert identity(moved).fingerprint != identity(demo).fingerprint


def test_frame_sizes_are_part_of_the_identity(demo: Checkpoint) -> None:
    own = identity(demo).layout
    assert own == identity(demo, max_pixels=10**9).layout  # the model's own limit holds
    assert own != identity(demo, max_pixels=1024).layout


def test_no_static_scale_where_the_static_curve_rises_as_much() -> None:
    """As with the 8B model: a still image gains more than the clip; the plain scale still works."""
    rise = np.linspace(0, 5, 12)
    tried = Attempt(-12 + rise, np.arange(12) / 2, np.arange(1, 13), -12 + 1.2 * rise)
    calibration = make_calibration([tried], ['a'], Identity('m', 'f', 'l', 'w'), 2.0)
    assert calibration.static is None and calibration.plain.levels[-1] == pytest.approx(-7)
    assert any('length_bias has to stay none' in line for line in describe(calibration))


def test_the_shortest_possible_demonstrations() -> None:
    """The detector allows for rounding: each demonstration is detected as a success."""
    random = np.random.default_rng(0)
    attempts = [
        Attempt(np.sort(random.normal(-5, 3, 4)), np.arange(4.0), np.arange(1, 5), np.full(4, -9.0))
        for _ in range(200)
    ]
    calibration = make_calibration(attempts, ['a'], Identity('m', 'f', 'l', 'w'), 1.0)
    assert calibration.plain.detected == 1
    for each in attempts:
        detector = SuccessDetector(
            calibration.plain.threshold, calibration.window, calibration.hold
        )
        assert any(detector.update(value) for value in each.log_probs)
    assert any('the recordings are too short' in line for line in describe(calibration))


def test_scores_are_stored_for_later_runs(demo: Checkpoint, tmp_path: Path) -> None:
    scorer, console = StreamingScorer(demo), Console(file=io.StringIO())
    scoring = EpisodeScoring(scorer.identity, Plan(4.0))
    first = recording(3)
    ((_, calibration),) = attempts_of(scorer, [first], scoring, tmp_path, console=console)

    def unreadable() -> Iterator[tuple[float, np.ndarray]]:
        raise ClipError('read again')

    again = dataclasses.replace(
        first, clip=dataclasses.replace(first.clip, frames=unreadable), is_success=False
    )
    ((_, kept),) = attempts_of(scorer, [again], scoring, tmp_path, console=console)
    for name in ('log_probs', 'times', 'frames', 'static'):
        assert getattr(kept, name).tolist() == getattr(calibration, name).tolist()
    assert calibration.is_success and not kept.is_success
    other = EpisodeScoring(scorer.identity, Plan(2.0))
    assert attempts_of(scorer, [again], other, tmp_path, console=console) == []
    assert 'read again' in console.file.getvalue()


def test_a_recording_that_is_too_short_is_named_and_skipped(
    demo: Checkpoint, tmp_path: Path
) -> None:
    console = Console(file=io.StringIO())
    recordings = [recording(3), dataclasses.replace(recording(4), name='brief')]
    recordings[1] = dataclasses.replace(recordings[1], clip=brief(recordings[1].clip))
    scorer = StreamingScorer(demo)
    scoring = EpisodeScoring(scorer.identity, Plan(4.0))
    attempts = attempts_of(scorer, recordings, scoring, tmp_path, console=console, least=4)
    assert [each.name for each, _ in attempts] == [recordings[0].name]
    assert 'brief: skipped: it has 1 scores' in console.file.getvalue()


def brief(clip: Clip) -> Clip:
    return dataclasses.replace(clip, frames=lambda: itertools.islice(clip.frames(), 1))


def test_a_useless_threshold_causes_a_warning() -> None:
    rise = np.linspace(-12, -7, 12)
    shape = (np.arange(12) / 2, np.arange(1, 13), np.full(12, -12.0))
    both = [Attempt(rise, *shape), Attempt(rise, *shape, is_success=False)]
    calibration = make_calibration(both, ['a'], Identity('m', 'f', 'l', 'w'), 2.0)
    assert any(line.startswith('warning') for line in describe(calibration))
