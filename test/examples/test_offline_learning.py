# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Policies cloned from scored demonstrations of mixed quality, in a small form."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('gymnasium', reason='the extra "learning" is not installed')

from examples.learning import offline
from examples.learning.demonstrations import MIXED, demonstrations
from examples.learning.table_world import TableWorld
from examples.learning.worlds import TABLE
from topreward_ros.recordings.labelled import open_recordings
from topreward_ros.recordings.source_options import SourceOptions

SMALL = ('--demonstrations', '6', '--tables', '4', '--cloning-steps', '20', '--seeds', '0')


def test_kinds_of_demonstrations() -> None:
    """Each is what its name says, by the truth."""
    shown = demonstrations(0, 150, MIXED)
    of = {kind: [each for each in shown if each.kind == kind] for kind in MIXED}
    assert all(len(each) > 4 for each in of.values())
    done = {kind: np.mean([each.is_done for each in own]) for kind, own in of.items()}
    assert done['good'] > 0.9 and done['dawdling'] < 0.8
    assert max(done[kind] for kind in ('beside', 'wrong block', 'dropped')) < 0.4
    assert np.mean([each.progress[-1] for each in of['wrong block']]) < 0.1
    halfway = [each.progress[-1] for each in of['dropped']]
    assert 0.3 < np.mean(halfway) < 0.8


def test_weights() -> None:
    """Of one that gains, one that loses again and one that stands still, by both formulas."""
    gains = np.linspace(0, 1, TableWorld.steps + 1)
    undone = np.concatenate([gains[::2], gains[::-2][: TableWorld.steps + 1 - len(gains[::2])]])
    still = np.zeros(TableWorld.steps + 1)
    awr, rabc = (of([gains, undone, still]) for of in (offline.top_awr, offline.ra_bc))
    assert all(len(each) == TableWorld.steps + 1 for each in (*awr, *rabc))
    assert np.concatenate(awr).min() > 0 and np.concatenate(awr).max() == 2
    assert np.concatenate(rabc).min() == 0 and np.concatenate(rabc).max() == 1
    assert (awr[0] == 2).all() and (awr[1][-5:-1] < 2).all() and (awr[2] == 2).all()
    assert (rabc[0][:-1] == 1).all() and (rabc[1][-5:-1] == 0).all() and (rabc[2] < 1).all()
    nothing = np.full(TableWorld.steps + 1, np.nan)
    assert (offline.top_awr([nothing])[0] == 2).all() and (offline.ra_bc([nothing])[0] == 1).all()


def test_the_true_progress_tells_good_from_bad() -> None:
    """RA-BC's weights of frames on the way are larger where the asked block moves."""
    shown = demonstrations(1, 60, MIXED)
    weights = offline.ra_bc([each.progress for each in shown])
    means = {
        kind: np.mean([w[:8].mean() for w, e in zip(weights, shown, strict=True) if e.kind == kind])
        for kind in ('good', 'wrong block')
    }
    assert means['good'] > means['wrong block'] + 0.3


def test_recordings_are_what_the_commands_read(tmp_path: Path) -> None:
    shown = demonstrations(2, 3, MIXED, look=True)
    offline.write_recordings(tmp_path / 'shown', shown)
    recordings = open_recordings([str(tmp_path / 'shown')], SourceOptions(folder_fps=4))
    assert [each.task for each in recordings] == [each.task for each in shown]
    assert [each.is_success for each in recordings] == [each.is_done for each in shown]
    for recording, each in zip(recordings, shown, strict=True):
        frames = [image for _, image in recording.clip.frames()]
        assert all(np.array_equal(a, b) for a, b in zip(frames, each.pictures, strict=True))
        assert recording.truth == pytest.approx(each.progress)


def test_a_run_is_resumed_and_reports(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    offline.main([str(tmp_path), *SMALL])
    told = capsys.readouterr().out
    assert 'robometer, RA-BC' in told and 'the truth, TOP-AWR' in told
    files = sorted(tmp_path.glob('*-*.json'))
    assert len(files) == len(offline.names('robometer')) == 6
    results = {each['weighting']: each for each in map(json.loads, map(Path.read_text, files))}
    assert all(0 <= each['success'] <= 1 for each in results.values())
    assert set(results['plain']['weights'].values()) == {1.0}
    assert all(0 <= w <= 1 for w in results['robometer, RA-BC']['weights'].values())
    tables = list((tmp_path / 'scores-robometer').glob('demonstrations-0/*/scores.csv'))
    assert len(tables) == 6
    (tmp_path / 'plain-0.json').unlink()
    (tmp_path / 'true-0.json').write_text('{"reward": "true"}')  # of the other experiment
    monkeypatch.setattr(offline, 'scorer_of', None)  # nothing is scored again
    monkeypatch.setattr(offline.Experiment, 'curves', None)
    offline.main([str(tmp_path), *SMALL])
    again = json.loads((tmp_path / 'plain-0.json').read_text())
    assert again['success'] == results['plain']['success'], 'the same, from the same seed'
    assert 'robometer, RA-BC' in capsys.readouterr().out


def test_what_the_model_sees_is_near_the_truth(tmp_path: Path) -> None:
    shown = demonstrations(4, 6, MIXED, look=True)
    offline.write_recordings(tmp_path / 'shown', shown)
    curves = offline.scored(
        tmp_path / 'shown',
        tmp_path / 'scores',
        lambda: offline.scorer_of(TABLE, 'robometer'),
        TableWorld.seconds,
    )
    apart = [
        np.abs(curve - each.progress).mean() for curve, each in zip(curves, shown, strict=True)
    ]
    assert len(apart) == 6 and np.mean(apart) < 0.15
