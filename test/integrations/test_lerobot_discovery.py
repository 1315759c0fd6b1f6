# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The plug-in, installed by pip, is found as LeRobot finds packages of others."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from topreward_ros.demo import model

from .conftest import NO_LEROBOT, PLUGIN

pytest.importorskip('lerobot', reason=NO_LEROBOT)

pytestmark = pytest.mark.slow

CHECKOUT = Path(__file__).parents[2]
TYPE = 'topreward_ros'

# As LeRobot's commands parse their arguments
COMMAND = """
from dataclasses import dataclass
from lerobot.configs import parser
from lerobot.configs.rewards import RewardModelConfig
from lerobot.rewards import make_reward_model, make_reward_pre_post_processors

@dataclass
class Settings:
    reward_model: RewardModelConfig

@parser.wrap()
def main(settings: Settings):
    made = make_reward_model(settings.reward_model)
    make_reward_pre_post_processors(settings.reward_model)
    print('made', made.name, settings.reward_model.fps, made.scorer.reward_model)

main()
"""

# What is known after LeRobot looked for plug-ins, and after an import
REGISTERED = """
from importlib.metadata import distribution
from lerobot.configs.rewards import RewardModelConfig
from lerobot.rewards import make_reward_model_config
from lerobot.utils.import_utils import register_third_party_plugins

print(distribution('lerobot_reward_topreward').metadata['Name'])
register_third_party_plugins()
names = register_third_party_plugins.__code__.co_consts
prefixes = [name for each in names if isinstance(each, tuple) for name in each]
assert 'lerobot_policy_' in prefixes, 'LeRobot looks for plug-ins in another way'
by_name = 'topreward_ros' in RewardModelConfig.get_known_choices()
assert by_name == ('lerobot_reward_' in prefixes), prefixes
import lerobot_reward_topreward
print(make_reward_model_config('topreward_ros', device='cpu').type)
"""


@pytest.fixture(scope='module')
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for needed in ('pip', 'setuptools'):
        if importlib.util.find_spec(needed) is None:
            pytest.skip(f'{needed} is not here')
    folder = tmp_path_factory.mktemp('site')
    source = shutil.copytree(PLUGIN, tmp_path_factory.mktemp('source') / 'plugin')
    offline = ['--no-deps', '--no-index', '--no-build-isolation', '--quiet']
    command = [sys.executable, '-m', 'pip', 'install', *offline, '--target', folder, source]
    subprocess.run(command, check=True, capture_output=True)
    return folder


def run(site: Path, code: str, *arguments: str) -> str:
    paths = os.pathsep.join(map(str, (site, CHECKOUT)))
    result = subprocess.run(
        [sys.executable, '-c', code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=site,
        env={**os.environ, 'PYTHONPATH': paths},
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_a_command_loads_it_by_an_argument(site: Path) -> None:
    arguments = {
        'discover_packages_path': 'lerobot_reward_topreward',
        'type': TYPE,
        'device': 'cpu',
        'model': model.FOLDER_ROBOMETER,
        'fps': 5,
    }
    options = [f'--reward_model.{name}={value}' for name, value in arguments.items()]
    assert 'made topreward_ros 5.0 robometer' in run(site, COMMAND, *options)


def test_it_is_registered_by_its_name_or_an_import(site: Path) -> None:
    """LeRobot 0.6.1 looks for no `lerobot_reward_`; where a later one does, it is found by name."""
    told = run(site, REGISTERED).split()
    assert told == ['lerobot_reward_topreward', TYPE]
