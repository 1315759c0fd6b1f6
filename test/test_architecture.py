# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Imports point one way."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / 'topreward_ros'
ROS = ('rclpy', 'rcl_interfaces', 'sensor_msgs', 'std_msgs', 'std_srvs', 'lifecycle_msgs')
# What the modules of a folder may import from the other folders of the package
MAY_IMPORT = {
    'scoring': set(),
    'reward': set(),
    'offline': {'scoring', 'reward', 'demo', 'share'},
    'demo': {'scoring'},
    'nodes': {'scoring', 'reward', 'offline', 'demo', 'msg', 'share'},
}


def imported(file: Path) -> set[str]:
    """Absolute names of all modules that a file imports, wherever in it."""
    package = ['topreward_ros', *file.relative_to(PACKAGE).parts[:-1]]
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            stem = '.'.join([*base, *([node.module] if node.module else [])])
            names |= {stem} if node.module else {f'{stem}.{alias.name}' for alias in node.names}
    return names


@pytest.mark.parametrize('folder', MAY_IMPORT)
def test_imports_point_one_way(folder: str) -> None:
    for file in (PACKAGE / folder).rglob('*.py'):
        for name in imported(file):
            top, _, rest = name.partition('.')
            if top == 'topreward_ros':
                other = rest.partition('.')[0]
                assert other in {*MAY_IMPORT[folder], folder}, f'{file} imports {name}'
            if folder != 'nodes':
                assert top not in ROS, f'{file} imports {name}'
            if folder == 'reward':
                stdlib = top in sys.stdlib_module_names
                assert stdlib or top in ('numpy', 'topreward_ros'), f'{file} imports {name}'


def test_scoring_and_reward_run_without_ros_and_torchvision() -> None:
    code = (
        'import sys; sys.modules.update(rclpy=None, torchvision=None)\n'
        'import topreward_ros.scoring.factory, topreward_ros.reward.live, topreward_ros.cli\n'
        "assert 'topreward_ros.msg' not in sys.modules"
    )
    subprocess.run([sys.executable, '-c', code], check=True, cwd='/')
