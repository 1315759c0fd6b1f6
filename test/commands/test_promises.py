# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`topreward calibrate` with a guarantee: what it counts, what it promises, what it refuses."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
import yaml

from topreward_ros.commands.calibrate import command
from topreward_ros.commands.calibrate.make import describe, make_calibration
from topreward_ros.commands.calibrate.other_tasks import asked_about
from topreward_ros.commands.calibrate.promises import Promises, check_counts
from topreward_ros.commands.main import main
from topreward_ros.commands.scene.recordings import write_recordings
from topreward_ros.recordings.clip import Clip, ClipError
from topreward_ros.recordings.recording import Recording
from topreward_ros.results.calibration_file import (
    CalibrationError,
    read_calibration,
    write_calibration,
)
from topreward_ros.reward.calibration import Calibration
from topreward_ros.reward.fit_scale import ROUNDING, Attempt
from topreward_ros.reward.guarantee import Band, Guarantee
from topreward_ros.reward.metrics import held_mean
from topreward_ros.scoring.score import Identity

IDENTITY = Identity('m', 'f', 'l', 'w')
RANDOM = np.random.default_rng(5)


def attempt(top: float, ok: bool = True, count: int = 16) -> Attempt:
    """Log P from -10 to `top`, with noise; a still picture gains up to 1 nat."""
    log_probs = np.linspace(-10, top, count) + RANDOM.normal(0, 0.1, count)
    static = np.linspace(-10, -9, count)
    return Attempt(log_probs, np.arange(count) / 2, np.arange(1, count + 1), static, ok)


GOOD = [attempt(-1) for _ in range(20)]
BAD = [attempt(-6, ok=False) for _ in range(10)]
OTHER = [attempt(-9, ok=False) for _ in range(5)]


def made(
    promises: Promises,
    good: list[Attempt] = GOOD,
    bad: list[Attempt] = BAD,
    other: list[Attempt] = OTHER,
) -> Calibration:
    return make_calibration(
        [*good, *bad], ['a'], IDENTITY, 2.0, other_tasks=other, promises=promises
    )


def test_every_kind_is_counted_as_what_it_is() -> None:
    calibration = made(Promises(false_alarms=0.2))
    assert calibration.plain.guarantee == Guarantee(0.2, 0.95, 10, 5, 20, beyond=2)
    assert (calibration.successes, calibration.failures) == (20, 10)
    # Beginnings are the highest here: a few of them may reach it
    early = sorted(held_mean(each.log_probs[each.shares < 0.8]) for each in GOOD)
    assert calibration.plain.threshold == pytest.approx(early[-3] + ROUNDING)
    assert calibration.plain.detected == 1 and calibration.plain.false_alarm == 0
    without = made(Promises(false_alarms=0.2, with_beginnings=False)).plain
    assert without.guarantee == Guarantee(0.2, 0.95, 10, 5, 0, beyond=0)
    failed = max(held_mean(each.log_probs) for each in BAD)
    assert without.threshold == pytest.approx(failed + ROUNDING)


def test_without_a_promise_nothing_changes() -> None:
    plain = made(Promises(), other=[]).plain
    assert plain.guarantee is None and plain.band is None
    assert -5.5 < plain.threshold < -2  # between failures and successes
    assert not any('confidence' in line for line in describe(made(Promises(), other=[])))


def test_a_bias_is_not_made_from_what_is_counted() -> None:
    """So the beginnings of the successes that it is made from do not count for its threshold."""
    static = made(Promises(false_alarms=0.2)).static
    assert static is not None and static.guarantee == Guarantee(0.2, 0.95, 10, 5, 0, beyond=0)
    odd = [dataclasses.replace(each, static=np.linspace(-10, 90, 16)) for each in BAD]
    assert made(Promises(false_alarms=0.2), bad=odd).bias == made(Promises(false_alarms=0.2)).bias
    assert made(Promises(), bad=odd).bias != made(Promises()).bias
    alone = made(Promises(false_alarms=0.2), bad=[], other=[])
    assert alone.plain.guarantee is not None and alone.static is not None
    assert alone.static.guarantee is None
    lines = describe(alone)
    assert 'no failures, so false alarms are known by the promise alone' in lines[0]
    assert any(line.startswith('warning: length_bias static: nothing is pro') for line in lines)


def test_a_band_is_not_made_from_the_successes_of_the_scale() -> None:
    calibration = made(Promises(band=0.2))
    for scale in (calibration.plain, calibration.static):
        assert scale is not None and scale.band is not None and scale.guarantee is None
        assert (scale.band.successes, scale.band.beyond) == (14, 0)
        assert 0 < scale.band.width < 0.2
    # The scale of the others is the same, whatever the band's successes are
    chosen = {k * 20 // 14 for k in range(14)}
    changed = [attempt(-3) if k in chosen else each for k, each in enumerate(GOOD)]
    other = made(Promises(band=0.2), good=changed).plain
    assert other.levels == calibration.plain.levels and other.band is not None
    assert calibration.plain.band is not None
    assert other.band.width > calibration.plain.band.width + 0.1
    line = next(line for line in describe(calibration) if 'progress stays within' in line)
    assert 'all but 20% of new successes (14 successes' in line and 'promise 19.3%)' in line
    both = made(Promises(0.2, 0.2)).static
    assert both is not None and both.guarantee is not None and both.guarantee.beginnings == 14


def test_what_is_promised_is_said() -> None:
    twenty = [attempt(-6, ok=False) for _ in range(20)]
    promises = Promises(false_alarms=0.2, with_beginnings=False)
    lines = describe(made(promises, bad=twenty, other=[]))
    line = next(line for line in lines if 'raise a false alarm' in line)
    for part in ('confidence 95%', 'at most 20%', 'these 20 ', '20 failed', '0 of other tasks'):
        assert part in line
    assert line.endswith('(they promise 13.9%)')


@pytest.mark.parametrize(
    ('counts', 'promises', 'message'),
    [
        (
            (0, 20, 0),
            Promises(false_alarms=0.05),
            'at most 5% false alarms, with confidence 95%, takes 59 recordings without success, '
            'and there are 20 (20 failed, 0 of other tasks, 0 unfinished beginnings of successes); '
            '20 can promise 13.9% at best: record 39 more, or ask for --false-alarms 0.14',
        ),
        ((40, 3, 2), Promises(0.2, with_beginnings=False), 'there are 5 (3 failed, 2 of other'),
        ((0, 0, 0), Promises(0.2), 'beginnings of successes): record 14 more'),
        (
            (15, 0, 0),
            Promises(band=0.2),
            'takes 14 successes beside 2 for the scale, and there are 15: record 1 more, or ask '
            'for --band 0.21',
        ),
        ((1, 0, 0), Promises(band=0.2), 'and there are 1: record 14 more'),
    ],
)
def test_what_cannot_be_promised_is_refused(
    counts: tuple[int, int, int], promises: Promises, message: str
) -> None:
    with pytest.raises(CalibrationError) as raised:
        check_counts(*counts, promises)
    assert message in str(raised.value) and '\n' not in str(raised.value)


def test_what_it_suggests_can_be_promised() -> None:
    for count in range(1, 80):
        with pytest.raises(CalibrationError) as raised:
            check_counts(0, count, 0, Promises(0.01))
        suggested = str(raised.value).partition('--false-alarms ')[2]
        check_counts(0, count, 0, Promises(float(suggested or 0.999)))


def test_recordings_too_short_to_be_judged_do_not_count() -> None:
    short = [attempt(-6, ok=False, count=3) for _ in range(20)]
    with pytest.raises(CalibrationError, match=r'takes 14 .* there are 0 \(0 failed'):
        made(Promises(0.2, with_beginnings=False), bad=short, other=[])


def test_promises_are_read_back(tmp_path: Path) -> None:
    file = tmp_path / 'c.yaml'
    calibration = made(Promises(0.2, 0.2))
    write_calibration(file, calibration)
    assert read_calibration(file) == calibration
    content = yaml.safe_load(file.read_text())
    assert content['plain']['guarantee'] == {
        **{'share': 0.2, 'confidence': 0.95, 'failed': 10, 'other_tasks': 5, 'beginnings': 20},
        'beyond': 2,
    }
    without = made(Promises())
    write_calibration(file, without)  # in the form of files made before
    assert 'guarantee:' not in file.read_text().partition('version')[2]
    assert read_calibration(file) == without
    for change in ({'share': 0.01}, {'beyond': 9}, {'more': 1}, {'failed': '10'}):
        content['plain']['guarantee'] = {
            **{'share': 0.2, 'confidence': 0.95, 'failed': 10, 'other_tasks': 5, 'beginnings': 20},
            **{'beyond': 2, **change},
        }
        file.write_text(yaml.safe_dump(content))
        with pytest.raises(CalibrationError, match='is not a calibration'):
            read_calibration(file)


# As written before there were promises
BEFORE = """\
version: 1
model: m
fingerprint: f
layout: l
fps: 2.0
tasks: [a]
successes: 2
failures: 0
window: 3
hold: 2
plain: {points: [0.0, 1.0], levels: [-9.0, -1.0], threshold: -2.0, roc_auc: .nan,
  false_alarm: 0.3, detected: 1.0}
static: null
bias: {curve: [0.0]}
"""


def test_files_made_before_are_read(tmp_path: Path) -> None:
    file = tmp_path / 'c.yaml'
    file.write_text(BEFORE)
    calibration = read_calibration(file)
    assert calibration.plain.threshold == -2 and calibration.plain.guarantee is None
    assert calibration.plain.band is None and calibration.successes == 2


def test_a_band_in_a_file_is_checked(tmp_path: Path) -> None:
    file = tmp_path / 'c.yaml'
    calibration = made(Promises(band=0.2))
    band = calibration.plain.band
    assert band is not None
    write_calibration(file, calibration)
    text = file.read_text()
    for wrong in ('.nan', '-0.1', '2.0', 'x'):
        file.write_text(text.replace(f'width: {band.width}', f'width: {wrong}'))
        with pytest.raises(CalibrationError, match='is not a calibration'):
            read_calibration(file)
    assert dataclasses.replace(band) == Band(band.width, 0.2, 0.95, 14, 0)


def named(name: str, task: str) -> Recording:
    return Recording(name, Clip(name, 1.0, 1.0, lambda: iter(())), task, True)


def test_other_tasks_are_asked_about_the_calibrated_ones() -> None:
    own = [named('a', 'Lift it.'), named('b', 'lift it'), named('c', 'Drop it.')]
    others = asked_about([named(n, t) for n, t in (('x', 'Fold.'), ('y', 'Lift it'))], own, None)
    assert [each.task for each in others] == ['Lift it.', 'Drop it.']
    assert [each.name for each in others] == ['other_tasks/x', 'other_tasks/y']
    assert not any(each.is_success for each in others)
    with pytest.raises(ClipError, match=r'^y is given with --other-tasks, but its task is the cal'):
        asked_about([named('y', 'lift it')], own[:2], None)
    (given,) = asked_about([named('y', 'Lift it.')], own[:1], 'Lift it.')  # of an unknown task
    assert given.task == 'Lift it.'


@pytest.fixture(scope='module')
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('promises')
    write_recordings(folder / 'demos', range(60, 64), ['success'], 4.0, (96, 96))
    write_recordings(folder / 'failed', range(70, 80), ['short', 'still'], 4.0, (96, 96))
    write_recordings(folder / 'other', range(80, 82), ['success'], 4.0, (96, 96))
    return folder


@pytest.mark.parametrize(
    ('arguments', 'status', 'message'),
    [
        (('--false-alarms', '0.05'), 1, 'takes 59 recordings without success, and there are 14'),
        (('--band', '0.2'), 1, 'takes 14 successes beside 2 for the scale, and there are 4'),
        (('--no-beginnings',), 2, '--no-beginnings has no effect without --false-alarms'),
        (('--confidence', '0.9'), 2, 'no effect without --false-alarms or --band'),
        (('--other-tasks', 'OTHER'), 2, '--other-tasks has no effect without --false-alarms'),
        (('--false-alarms', '0.2', '--other-tasks', 'FAILED'), 2, 'as --failed and as --other-tas'),
    ],
)
def test_refused_before_the_model_is_loaded(
    clips: Path,
    tmp_path: Path,
    *,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    status: int,
    message: str,
) -> None:
    monkeypatch.setattr(command, 'load', lambda _: pytest.fail('the model was loaded'))
    paths = {'OTHER': str(clips / 'other'), 'FAILED': str(clips / 'failed')}
    rest = [paths.get(each, each) for each in arguments]
    sources = [str(clips / 'demos'), '--failed', str(clips / 'failed')]
    assert main(['calibrate', *sources, '--save', str(tmp_path / 'c.yaml'), *rest]) == status
    told = capsys.readouterr().err.strip()
    assert message in told and '\n' not in told


def test_shares_that_are_none(capsys: pytest.CaptureFixture[str]) -> None:
    for text in ('0', '1', '20', 'nan', 'few'):
        with pytest.raises(SystemExit, match='2'):
            main(['calibrate', 'x', '--false-alarms', text])
        assert text in capsys.readouterr().err


@pytest.mark.slow
def test_the_command_promises(
    clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / 'c.yaml'
    sources = ['demos', '--failed', 'failed', '--other-tasks', 'other']
    paths = [each if each.startswith('--') else str(clips / each) for each in sources]
    rest = ['--fps', '4', '--false-alarms', '0.2', '--save', str(file)]
    assert main(['calibrate', *paths, *rest]) == 0
    assert '10 failed, 2 of other tasks, 4 unfinished' in capsys.readouterr().out
    plain = read_calibration(file).plain
    assert plain.guarantee == Guarantee(0.2, 0.95, 10, 2, 4, beyond=0)
    assert math.isfinite(plain.threshold) and plain.detected == 1
