# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import yaml

from tools.write_parameter_file import NODES, parameter_file
from topreward_ros.nodes.common.parameter_table import descriptions
from topreward_ros.nodes.reset.settings import ResetSettings
from topreward_ros.nodes.reward.settings import RewardSettings

CONFIG = Path(__file__).parents[2] / 'config'
JOINTS = {'so100': 5, 'so101': 5, 'franka': 7}
TABLES = pytest.mark.parametrize('table', [RewardSettings, ResetSettings])


def read(file: str) -> dict:
    content = yaml.safe_load((CONFIG / f'{file}.yaml').read_text(encoding='utf-8'))
    values = content['/**']['ros__parameters']
    return {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}


@pytest.mark.parametrize('file', NODES)
def test_the_parameter_file_is_the_table(file: str) -> None:
    assert (CONFIG / f'{file}.yaml').read_text(encoding='utf-8') == parameter_file(file)
    defaults = dataclasses.asdict(NODES[file][1]())
    assert read(file) == defaults
    assert [type(v) for v in read(file).values()] == [type(v) for v in defaults.values()]


@pytest.mark.parametrize('robot', sorted({f.stem for f in CONFIG.glob('*.yaml')} - set(NODES)))
def test_a_robot_s_file_is_of_known_parameters_with_a_home_within_limits(robot: str) -> None:
    settings = ResetSettings(**read(robot))
    assert settings.reset == 'home_motion'
    count = len(settings.joints)
    assert count == len(settings.home) == JOINTS.get(robot, count) > 0
    rows = zip(settings.lower_limits, settings.home, settings.upper_limits, strict=True)
    assert all(low + 0.05 < home < high - 0.05 for low, home, high in rows)


@TABLES
def test_defaults_are_within_their_ranges(table: type) -> None:
    for name, description in descriptions(table).items():
        value = getattr(table(), name)
        assert description.problem(name, value) is None
        if isinstance(value, float | int) and not isinstance(value, bool):
            assert description.range, f'{name} has no range'


@pytest.mark.parametrize(
    'wrong',
    [
        {'fps': 0.0},
        {'max_frames': 30},
        {'scorer': 'fast'},
        {'warm_up_size': '640'},
        {'warm_up_size': '0x480'},
        {'log_prob_low': -3.0, 'log_prob_high': -4.0},
        {'fps': 0.05},  # max_gap is shorter than the interval
        {'normalization': 'calibrated'},
        {'quantization': '4bit', 'adapter': 'somebody/adapter'},
    ],
)
def test_settings_that_do_not_go_together(wrong: dict) -> None:
    with pytest.raises(ValueError, match=r'expected|calibration'):
        RewardSettings(**wrong)


HOME = {
    'reset': 'home_motion',
    'joints': ('a', 'b'),
    'home': (0.0, 1.0),
    'lower_limits': (-1.0, -1.0),
    'upper_limits': (1.0, 1.5),
}


@pytest.mark.parametrize(
    'wrong',
    [
        {'reset': 'magic'},
        {'reward_node': ' / '.strip()},
        {'reset': 'home_motion'},  # of no joints
        {**HOME, 'home': (0.0, 1.6)},
        {**HOME, 'home': (0.0, float('nan'))},
        {**HOME, 'home': (0.0,)},
        {**HOME, 'upper_limits': (1.0,)},
        {**HOME, 'joints': ('a', 'a')},
    ],
)
def test_resets_that_are_refused(wrong: dict) -> None:
    ResetSettings(**HOME)
    with pytest.raises(ValueError, match=r'expected|needs'):
        ResetSettings(**wrong)
