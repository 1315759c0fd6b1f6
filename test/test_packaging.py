# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Metadata that is in several files must agree."""

import re
from configparser import ConfigParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

import topreward_ros

SOURCE = Path(__file__).parent.parent
PIN = re.compile(r'^\s*"?([A-Za-z0-9._-]+)==([^",;\s]+)', re.MULTILINE)


@pytest.fixture(scope='module')
def constraints() -> dict[str, str]:
    return dict(PIN.findall((SOURCE / 'constraints.txt').read_text()))


@pytest.fixture(scope='module')
def setup_cfg() -> ConfigParser:
    setup_cfg = ConfigParser(delimiters=['='])
    setup_cfg.read(SOURCE / 'setup.cfg')
    return setup_cfg


def test_version() -> None:
    package = ElementTree.parse(SOURCE / 'package.xml').getroot()
    assert package.findtext('version') == topreward_ros.__version__


def test_messages_are_built_with_the_wheels_they_run_with(constraints: dict[str, str]) -> None:
    build_pins = dict(PIN.findall((SOURCE / 'pyproject.toml').read_text()))
    assert 'ros-kilted-rosidl-default-generators' in build_pins
    assert {name: constraints.get(name) for name in build_pins} == build_pins


def test_every_dependency_is_pinned(constraints: dict[str, str], setup_cfg: ConfigParser) -> None:
    extras = setup_cfg['options.extras_require'].values()
    requirements = '\n'.join([setup_cfg['options']['install_requires'], *extras]).split('\n')
    names = {re.split(r'[\[<>=!;]', line)[0].lower() for line in requirements if line}
    assert names - constraints.keys() == set()


def test_every_source_file_names_its_licence() -> None:
    folders = (
        'topreward_ros', 'launch', 'config', 'cmake', 'test', 'tools', 'benchmarks', 'examples',
        'integrations',
    )  # fmt: skip
    suffixes = {'.py', '.cmake', '.xml', '.yaml', '.cpp'}
    files = [*SOURCE.glob('*.py'), *(f for name in folders for f in SOURCE.glob(f'{name}/**/*'))]
    texts = {file: file.read_text() for file in files if file.suffix in suffixes}
    without = [
        str(file.relative_to(SOURCE))
        for file, text in texts.items()
        if text and 'SPDX-License-Identifier: Apache-2.0' not in text
    ]
    assert without == []
