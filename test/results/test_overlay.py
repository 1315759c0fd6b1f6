# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The overlay video: the curve is read back from its pixels."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest

from topreward_ros.files import ResultsError
from topreward_ros.recordings.clip import Clip
from topreward_ros.recordings.clip_source import open_clip
from topreward_ros.results.overlay import write_overlay
from topreward_ros.results.score_table import Row, read_rows, write_rows
from topreward_ros.scoring.score import Score

WIDTH, HEIGHT = 128, 96


def row(time: float, progress: float) -> Row:
    score = Score(1, log_prob=-1.5, log_prob_false=-0.5)
    return Row(time, 1, score, progress, 0.0, 'x', math.nan, 'Put it, "there".')


def clip() -> Clip:
    frames = [(k / 4, np.full((HEIGHT, WIDTH, 3), 20 * k, np.uint8)) for k in range(8)]
    return Clip('clip', 4.0, 2.0, lambda: iter(frames))


def orange(strip: np.ndarray) -> np.ndarray:
    """Return a mask of the curve's pixels."""
    red, green, blue = (strip[..., k].astype(int) for k in range(3))
    return (red - blue > 90) & (red - green > 50)


def test_the_curve_grows_with_time_and_holds_the_newest_value(tmp_path: Path) -> None:
    write_overlay(tmp_path / 'o.mp4', clip(), [row(0.0, 0.0), row(1.0, 1.0)])
    film = open_clip(tmp_path / 'o.mp4')
    assert (film.fps, film.seconds) == (4.0, 2.0)
    frames = [image for _, image in film.frames()]
    assert len(frames) == 8 and frames[0].shape[1] == WIDTH
    assert abs(frames[5][:HEIGHT].mean() - 100) < 8  # the clip itself is above
    strips = [frame[HEIGHT:] for frame in frames]
    graph = slice(0, round(0.75 * WIDTH))  # left of the number
    reach = [np.flatnonzero(orange(strip)[:, graph].any(0)).max() for strip in strips]
    assert reach[1] < reach[3] < reach[7]
    heights = [np.flatnonzero(orange(strip)[:, graph].any(1)).min() for strip in strips]
    assert heights[3] > heights[4] + 10 and abs(heights[4] - heights[7]) < 4


def test_a_flat_curve_is_named_and_not_drawn(tmp_path: Path) -> None:
    write_overlay(tmp_path / 'o.mp4', clip(), [row(0.0, math.nan)])
    frames = [image for _, image in open_clip(tmp_path / 'o.mp4').frames()]
    assert not orange(frames[-1][HEIGHT:]).any()
    assert (frames[-1][HEIGHT:] < 120).any()  # the word is drawn


def test_rows_are_read_back_without_loss(tmp_path: Path) -> None:
    rows = [row(1 / 3, 0.1 + 0.2), row(math.pi, math.nan)]
    write_rows(tmp_path / 'scores.csv', rows)
    back = read_rows(tmp_path / 'scores.csv')
    assert repr(back) == repr(rows)
    own = Score(2, progress=1 / 3, success=2 / 3, parts={'process': 0.1, 'contrast': -0.2})
    rows = [dataclasses.replace(row(0.5, 1 / 3), score=score) for score in (own, rows[0].score)]
    write_rows(tmp_path / 'scores.csv', rows)
    assert repr(read_rows(tmp_path / 'scores.csv')) == repr(rows)
    (tmp_path / 'scores.csv').write_text('time,what\n1,2\n', encoding='utf-8')
    with pytest.raises(ResultsError, match='columns'):
        read_rows(tmp_path / 'scores.csv')
    write_rows(tmp_path / 'scores.csv', [row(0.5, 0.5)])
    whole = (tmp_path / 'scores.csv').read_text(encoding='utf-8')
    for bad in ('nan', '', 'x'):  # as an edit would leave it
        text = whole.replace(str(rows[1].score.log_prob), bad)
        assert text != whole
        (tmp_path / 'scores.csv').write_text(text, encoding='utf-8')
        with pytest.raises(ResultsError, match='not a table of scores'):
            read_rows(tmp_path / 'scores.csv')
