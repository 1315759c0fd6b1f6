# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Lets pip install what colcon does: metadata is in setup.cfg, the build in CMakeLists.txt."""

import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

PACKAGE = 'topreward_ros'
SOURCE = Path(__file__).parent.resolve()
PACKAGE_INDEX = 'share/ament_index/resource_index/packages'


class BuildInterfaces(build_ext):
    """Build the message types with CMake and ship its install tree as data files."""

    def run(self) -> None:
        stage = Path(self.build_temp, 'stage').resolve()
        shutil.rmtree(stage, ignore_errors=True)
        self.build_interfaces(stage)
        for file in installed_files(stage):
            folder = str(file.parent.relative_to(stage))
            self.distribution.data_files.append((folder, [os.path.relpath(file, SOURCE)]))
        if self.editable_mode:  # where setuptools skips data files
            self.run_command('install_data')

    def build_interfaces(self, stage: Path) -> None:
        options = {
            'BUILD_TESTING': 'OFF',
            'CMAKE_BUILD_TYPE': 'Release',
            'CMAKE_INSTALL_PREFIX': stage,
            'EXECUTABLES_PYTHON': '/usr/bin/env python3',
            'Python3_EXECUTABLE': sys.executable,
        }
        if 'AMENT_PREFIX_PATH' not in os.environ:  # no sourced ROS 2: use the wheels
            prefix = wheels_prefix()
            os.environ['AMENT_PREFIX_PATH'] = os.environ['CMAKE_PREFIX_PATH'] = prefix
            options['CMAKE_PROJECT_INCLUDE'] = SOURCE / 'cmake' / 'ros_wheels.cmake'
        build = os.path.join(self.build_temp, 'cmake')
        # --fresh: a cache left here names the ninja of an isolated environment that is gone
        self.spawn(
            [
                'cmake',
                '--fresh',
                '-G',
                'Ninja',
                '-S',
                str(SOURCE),
                '-B',
                build,
                *(f'-D{name}={value}' for name, value in options.items()),
            ]
        )
        self.spawn(['cmake', '--build', build, '--target', 'install'])

    def get_outputs(self) -> list[str]:
        return []

    def get_output_mapping(self) -> dict[str, str]:
        return {}


def wheels_prefix() -> str:
    """Return the prefix that the ROS 2 wheels are installed in, here the isolated build's."""
    # <prefix>/lib/pythonX.Y/site-packages/rosidl_cmake/__init__.py
    spec = find_spec('rosidl_cmake')
    if spec is None or spec.origin is None:
        raise RuntimeError('neither a sourced ROS 2 nor the wheels named in pyproject.toml found')
    return str(Path(spec.origin).parents[4])


def installed_files(stage: Path) -> list[Path]:
    """Return CMake's install tree without what setuptools sees to itself: modules and marker."""
    modules = next(stage.glob('lib/python*/*-packages'))

    def wanted(path: Path) -> bool:
        if not path.is_file() or path.suffix == '.pyc' or path == stage / PACKAGE_INDEX / PACKAGE:
            return False
        if not path.is_relative_to(modules):
            return True
        generated = not (SOURCE / path.relative_to(modules)).exists()
        return generated and path.is_relative_to(modules / PACKAGE)

    return sorted(filter(wanted, stage.rglob('*')))


setup(
    cmdclass={'build_ext': BuildInterfaces},
    ext_modules=[Extension(f'{PACKAGE}.msg', sources=[])],  # makes the wheel a platform wheel
    data_files=[(PACKAGE_INDEX, [f'resource/{PACKAGE}'])],
)
