# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Tables of scores are read as they were written, those of older versions too."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from topreward_ros.files import ResultsError
from topreward_ros.results.score_table import COLUMNS, Row, read_rows, write_rows
from topreward_ros.scoring.score import Score

TOPREWARD = Score(1, log_prob=-2.5, log_prob_false=-0.125)
ROBOMETER = Score(2, progress=0.5, success=0.25, parts={'done': 0.75})


def row(score: Score, reward_model: str) -> Row:
    return Row(0.5, 1, score, 0.5, 0.0, 'model', 0.125, 'Lift it.', reward_model)


@pytest.mark.parametrize(
    'rows',
    [
        [row(TOPREWARD, 'topreward')],
        [row(ROBOMETER, 'robometer'), row(ROBOMETER, 'robometer')],
        [row(TOPREWARD, 'topreward'), row(ROBOMETER, 'robometer')],
        [row(TOPREWARD, '')],
        [row(ROBOMETER, '=HYPERLINK("x")')],
    ],
)
def test_there_and_back(tmp_path: Path, rows: list[Row]) -> None:
    write_rows(tmp_path / 'scores.csv', rows)
    assert read_rows(tmp_path / 'scores.csv') == rows


def test_a_table_of_an_older_version(tmp_path: Path) -> None:
    """It says neither which reward model the scores are of, nor what only some models give."""
    file = tmp_path / 'scores.csv'
    with file.open('w', newline='', encoding='utf-8') as stream:
        csv.writer(stream).writerows(
            [COLUMNS, [0.5, 1, 1, -2.5, -0.125, 0.5, 0.0, 'model', 0.125, 'Lift it.']]
        )
    assert read_rows(file) == [row(TOPREWARD, '')]


def test_another_table(tmp_path: Path) -> None:
    file = tmp_path / 'scores.csv'
    file.write_text(','.join([*COLUMNS, 'reward_modell']) + '\n', encoding='utf-8')
    with pytest.raises(ResultsError, match='has the columns'):
        read_rows(file)
