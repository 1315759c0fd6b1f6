# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Scoring with a local Ray writes the same files as without."""

from __future__ import annotations

from pathlib import Path

import pytest

from topreward_ros.demo.drawing import film
from topreward_ros.demo.scene import SceneEpisode
from topreward_ros.results.score_table import read_rows
from topreward_ros.results.video import write_video

from .run_command import topreward

pytest.importorskip('ray', reason='Ray is not here: pip install .[ray]')


@pytest.mark.slow
def test_the_same_results_with_ray(tmp_path: Path) -> None:
    sources = []
    for seed in (3, 4, 5):
        episode = SceneEpisode(seed, 'success')
        sources.append(tmp_path / f'{seed}.mp4')
        write_video(sources[-1], film(episode, 8.0, 64, 64), 8.0)
    bad = tmp_path / 'bad.mp4'
    bad.write_bytes(b'no video at all')
    arguments = ('--task', episode.task.say(), '--fps', 4, '--dense')
    alone = topreward('score', *sources, *arguments, '--save', tmp_path / 'alone')
    assert alone.returncode == 0, alone.stderr
    # One exists already, from an earlier run without Ray
    first = topreward('score', sources[0], *arguments, '--save', tmp_path / 'ray')
    assert first.returncode == 0, first.stderr
    together = topreward(
        'score',
        *sources,
        bad,
        *arguments,
        '--save',
        tmp_path / 'ray',
        '--ray',
        '--workers',
        2,
        seconds=300,
    )
    assert together.returncode == 1, together.stderr
    assert '1 of 4 recordings could not be scored' in together.stderr
    assert together.stdout.count('scored already') == 1
    assert together.stdout.count('scores, log P("True")') == 2
    for name in ('3', '4', '5'):
        ours, theirs = tmp_path / 'ray' / name, tmp_path / 'alone' / name
        assert (ours / 'asked.json').read_bytes() == (theirs / 'asked.json').read_bytes()
        one, other = read_rows(ours / 'scores.csv'), read_rows(theirs / 'scores.csv')
        assert [row.time for row in one] == [row.time for row in other]
        # Actors have another number of threads, which sum in another order.
        expected = pytest.approx([row.score.log_prob for row in other], abs=1e-5)
        assert [row.score.log_prob for row in one] == expected
