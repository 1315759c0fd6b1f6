# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import yaml

from tools.write_parameter_file import parameter_file
from topreward_ros.nodes.settings import DESCRIPTIONS, Settings

FILE = Path(__file__).parents[2] / 'config' / 'topreward.yaml'


def test_the_parameter_file_is_the_table() -> None:
    assert FILE.read_text(encoding='utf-8') == parameter_file()
    values = yaml.safe_load(FILE.read_text(encoding='utf-8'))['/**']['ros__parameters']
    assert values == dataclasses.asdict(Settings())
    assert [type(v) for v in values.values()] == [
        type(v) for v in dataclasses.asdict(Settings()).values()
    ]


def test_defaults_are_within_their_ranges() -> None:
    Settings()
    for name, described in DESCRIPTIONS.items():
        value = getattr(Settings(), name)
        assert described.refusal(name, value) is None
        if isinstance(value, float | int) and not isinstance(value, bool):
            assert described.range, f'{name} has no range'


@pytest.mark.parametrize(
    'wrong',
    [
        {'fps': 0.0},
        {'max_frames': 30},
        {'scorer': 'fast'},
        {'log_prob_low': -3.0, 'log_prob_high': -4.0},
        {'fps': 0.05},  # max_gap is shorter than the interval
        {'normalization': 'calibrated'},
    ],
)
def test_settings_that_do_not_go_together(wrong: dict) -> None:
    with pytest.raises(ValueError, match=r'expected|calibration'):
        Settings(**wrong)
