# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The launch files alone and in a robot's bringup, with nodes that end in every way.

The processes are shell scripts, so that it is launch and the launch files that are tested.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

# Not `launch`: that is also a folder of the checkout.
pytest.importorskip('launch_ros', reason='launch_ros is not installed')

from topreward_ros.results.video import write_image_bag
from topreward_ros.share import share_directory

SHARE = share_directory()
# As `ros2 launch` does it
START = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import AnyLaunchDescriptionSource

file, *arguments = sys.argv[1:]
service = LaunchService(argv=arguments, noninteractive=True)
pairs = [argument.split(':=', 1) for argument in arguments]
included = IncludeLaunchDescription(AnyLaunchDescriptionSource(file), launch_arguments=pairs)
service.include_launch_description(LaunchDescription([included]))
sys.exit(service.run())
"""
RUNS = 'trap "exit 0" INT; echo running; while :; do sleep 0.05; done'
FAILS = 'echo it fails; exit 3'
DIES_AT_THE_END = 'trap "exit 7" INT; echo running; while :; do sleep 0.05; done'
FAILS_ONCE = f'if ! [ -e failed ]; then touch failed; exit 3; fi; {RUNS}'
# The rest of a robot, which ends by itself
ROBOT = """
from launch import LaunchDescription
from launch.actions import ExecuteProcess, IncludeLaunchDescription
from launch.launch_description_sources import AnyLaunchDescriptionSource

INCLUDED = {included!r}

def generate_launch_description():
    arm = ['sh', '-c', 'trap "echo arm was ended; exit 0" INT; sleep 1.5 & wait; echo arm is done']
    return LaunchDescription([
        *(
            IncludeLaunchDescription(AnyLaunchDescriptionSource(file), launch_arguments=arguments)
            for file, arguments in INCLUDED
        ),
        ExecuteProcess(cmd=arm, output='screen'),
    ])
"""


@pytest.fixture
def prefix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation whose executables are scripts, and a `ros2`."""
    prefix = tmp_path / 'prefix'
    marker = prefix / 'share' / 'ament_index' / 'resource_index' / 'packages' / 'topreward_ros'
    marker.parent.mkdir(parents=True)
    marker.touch()
    (prefix / 'share' / 'topreward_ros').symlink_to(SHARE)
    write(prefix, 'ros2', 'echo "player: $*"')
    for name in ('reward_node', 'episode_reset_node'):
        write(prefix, name, RUNS)
    paths = [str(prefix), os.environ.get('AMENT_PREFIX_PATH', '')]
    monkeypatch.setenv('AMENT_PREFIX_PATH', os.pathsep.join(filter(None, paths)))
    monkeypatch.setenv('PATH', f'{prefix / "lib" / "topreward_ros"}:{os.environ["PATH"]}')
    monkeypatch.setenv('ROS_LOG_DIR', str(tmp_path / 'log'))
    monkeypatch.setenv('ROS_DOMAIN_ID', '101')
    return prefix


def write(prefix: Path, name: str, script: str) -> None:
    file = prefix / 'lib' / 'topreward_ros' / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f'#!/bin/sh\n{script}\n')
    file.chmod(0o755)


def launched(file: Path, cwd: Path, *arguments: str, until: str = '') -> tuple[int, str]:
    """Return exit code and output; with `until`, Ctrl-C once the output contains it."""
    log = cwd / 'output'
    with log.open('w') as stream:
        process = subprocess.Popen(
            [sys.executable, '-c', START, str(file), *arguments],
            stdout=stream,
            stderr=subprocess.STDOUT,
            cwd=cwd,
        )
    end = time.monotonic() + 30
    while until and until not in log.read_text() and process.poll() is None:
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.05)
    if until:
        process.send_signal(signal.SIGINT)
    return process.wait(timeout=30), log.read_text()


def launch_file(name: str) -> Path:
    return SHARE / 'launch' / f'{name}.launch.py'


FAILURE = 'ended with exit code 3: the reason is in its last lines above; correct it and launch'


@dataclass(frozen=True)
class Case:
    """A node in a launch file, the signal at some output, and how the launch ends."""

    node: str
    code: int
    text: str
    name: str = 'topreward'
    on_exit: str = ''
    until: str = ''

    def run(self, file: Path, folder: Path, prefix: Path, *arguments: str) -> str:
        write(
            prefix, 'reward_node' if self.name == 'topreward' else 'episode_reset_node', self.node
        )
        code, output = launched(file, folder, *arguments, until=self.until)
        assert code == self.code and self.text in output, output
        assert (FAILURE in output) == ('exit 3' in self.node), output
        assert 'Traceback' not in output
        return output


# The kind: how a launch of one file ends, by how its node ends
@pytest.mark.parametrize(
    'case',
    [
        Case('exit 0', 0, 'finished cleanly'),
        Case(FAILS, 1, FAILURE),
        Case(FAILS, 1, FAILURE, 'episode_reset'),
        Case(FAILS, 0, FAILURE, on_exit='nothing'),
        Case(RUNS, 0, 'ctrl-c (SIGINT)', until='running'),
        Case(DIES_AT_THE_END, 0, 'ctrl-c (SIGINT)', 'episode_reset', until='running'),
        Case(FAILS_ONCE, 0, 'running', on_exit='respawn', until='running'),
    ],
)
def test_how_a_launch_ends(prefix: Path, tmp_path: Path, case: Case) -> None:
    case.run(launch_file(case.name), tmp_path, prefix, f'on_exit:={case.on_exit}')


# The kind: what a launch file that is included does to the rest, by how its node ends
@pytest.mark.parametrize(
    'case',
    [
        Case('exit 0', 0, 'arm is done'),
        Case(FAILS, 0, 'arm is done'),
        Case(FAILS, 0, 'arm is done', on_exit='nothing'),
        Case(FAILS, 1, 'arm was ended', on_exit='shutdown'),
    ],
)
def test_a_robot_goes_on(prefix: Path, tmp_path: Path, case: Case) -> None:
    robot = bringup(tmp_path, (case.name, {'on_exit': case.on_exit}))
    case.run(robot, tmp_path, prefix, 'speed:=3')  # an argument of the robot's own


def bringup(folder: Path, *included: tuple[str, dict[str, str]]) -> Path:
    files = [(str(launch_file(name)), list(arguments.items())) for name, arguments in included]
    robot = folder / 'robot.launch.py'
    robot.write_text(ROBOT.format(included=files))
    return robot


# The kind: wrong arguments, each named with what was expected, before anything is started
@pytest.mark.parametrize(
    ('name', 'argument', 'text'),
    [
        ('topreward', 'camra:=/x', 'has no argument camra; did you mean camera?'),
        ('episode_reset', 'logfile:=x', 'has no argument logfile; did you mean log_file?'),
        ('topreward', 'qqq:=x', 'has no argument qqq; expected (of camera, task, model,'),
        ('topreward', 'use_sim_time:=maybe', "use_sim_time is 'maybe'; expected true or false"),
        ('episode_reset', 'episode_time:=long', "episode_time is 'long'; expected a number"),
        ('topreward', 'params_file:=so1oo', 'does not exist; expected a path, or one of'),
        ('topreward', 'on_exit:=explode', 'provided value "explode" is not valid'),
    ],
)
def test_a_wrong_argument(
    prefix: Path, tmp_path: Path, name: str, argument: str, text: str
) -> None:
    code, output = launched(launch_file(name), tmp_path, argument)
    assert code == 1 and text in output, output
    assert 'running' not in output


# The kind: arguments of one include that are still set in the next
@pytest.mark.parametrize(
    'given',
    [
        {'topreward': 'reward.yaml'},
        {'episode_reset': 'franka'},
        {'topreward': 'both.yaml', 'episode_reset': 'both.yaml'},
    ],
)
@pytest.mark.parametrize('order', [('topreward', 'episode_reset'), ('episode_reset', 'topreward')])
def test_a_params_file_is_for_one_node(
    prefix: Path, tmp_path: Path, order: tuple[str, str], given: dict[str, str]
) -> None:
    (tmp_path / 'reward.yaml').write_text('/**: {ros__parameters: {fps: 4}}')
    (tmp_path / 'both.yaml').write_text('/**: {ros__parameters: {fps: 4, episode_time: 9}}')
    for name in ('reward_node', 'episode_reset_node'):
        write(prefix, name, f'echo {name}: "$@"')
    arguments = {name: {'params_file': file} for name, file in given.items()}
    robot = bringup(tmp_path, *((name, arguments.get(name, {})) for name in order))
    _, output = launched(robot, tmp_path)
    for name, executable in (('topreward', 'reward_node'), ('episode_reset', 'episode_reset_node')):
        words = next(line for line in output.splitlines() if f'{executable}: ' in line).split()
        file = words[words.index('--params-file') + 1]
        assert Path(file).stem == given.get(name, name).removesuffix('.yaml'), output


def test_arguments_with_defaults_do_not_leak(prefix: Path, tmp_path: Path) -> None:
    """Nor does a default: the second file has its own."""
    write(prefix, 'episode_reset_node', 'echo reset: "$@"')
    robot = bringup(tmp_path, ('topreward', {}), ('episode_reset', {}))
    robot.write_text(
        robot.read_text().replace(
            '        ExecuteProcess(cmd=arm',
            '        LogInfo(msg=["camera: ", LaunchConfiguration("camera", default="none")]),\n'
            '        ExecuteProcess(cmd=arm',
        )
        + 'from launch.actions import LogInfo\n'
        + 'from launch.substitutions import LaunchConfiguration\n'
    )
    write(prefix, 'reward_node', 'exit 0')
    _, output = launched(robot, tmp_path)
    assert 'config/episode_reset.yaml' in output and 'camera: none' in output, output


# The kind: a replay of which one process fails
@pytest.mark.parametrize('case', [Case(FAILS, 1, FAILURE), Case('exit 0', 0, 'finished cleanly')])
def test_how_a_replay_ends(prefix: Path, tmp_path: Path, case: Case) -> None:
    write_image_bag(tmp_path / 'bag', [np.zeros((32, 32, 3), np.uint8)] * 3, 10.0, 'Do it.')
    output = case.run(launch_file('replay'), tmp_path, prefix, f'bag:={tmp_path / "bag"}')
    assert 'player: ' not in output


def test_the_example_of_a_bringup(prefix: Path, tmp_path: Path) -> None:
    """The camera and the arm go on where the reward node fails."""
    write(prefix, 'reward_node', FAILS)
    write(prefix, 'episode_reset_node', 'echo reset: "$@"')
    write(prefix, 'camera', 'trap "echo camera was ended; exit 0" INT; echo camera; sleep 2 & wait')
    arm = bringup(tmp_path)
    _, output = launched(
        SHARE / 'examples' / 'robot.launch.py',
        tmp_path,
        f'arm_launch:={arm}',
        'arm:=franka',
        'task:=Put it there.',
        'camera_package:=topreward_ros',
        'camera_executable:=camera',
        until='arm is done',
    )
    assert FAILURE in output and 'arm was ended' not in output
    assert 'config/franka.yaml' in output and output.index('arm is done') < output.index('SIGINT')


# Whose values for the launch files of the package the example sets itself
SET_BY_THE_EXAMPLE = {'camera', 'on_exit', 'params_file', 'reward_node', 'episode_time', 'log_file'}


def test_the_example_passes_on_all_arguments(prefix: Path, tmp_path: Path) -> None:
    """Of both launch files that it includes, by what the nodes are started with."""
    (tmp_path / 'own.yaml').write_text('/**: {ros__parameters: {fps: 4}}')
    for name in ('reward_node', 'episode_reset_node'):
        write(prefix, name, f'echo {name}: "$@"; for f; do cat "$f" 2>/dev/null; done')
    write(prefix, 'camera', 'sleep 2')
    given = {
        'task': 'Put it there.',
        'model': 'own/model',
        'reward_model': 'robometer',
        'second_opinion': 'second/model',
        'second_reward_model': 'topreward',
        'history': 'last',
        'image_transport': 'compressed',
        'namespace': 'left',
        'use_sim_time': 'true',
        'log_level': 'debug',
    }
    _, output = launched(
        SHARE / 'examples' / 'robot.launch.py',
        tmp_path,
        f'arm_launch:={bringup(tmp_path)}',
        'arm:=franka',
        f'reward_params_file:={tmp_path / "own.yaml"}',
        'camera_package:=topreward_ros',
        'camera_executable:=camera',
        *(f'{name}:={value}' for name, value in given.items()),
        until='arm is done',
    )
    lines = [line for line in output.splitlines() if 'reward_node' in line]
    for name, value in given.items():
        if name not in ('namespace', 'log_level', 'use_sim_time'):
            assert any(f'{name}: {value}' in line for line in lines), output
    for executable in ('reward_node', 'episode_reset_node'):
        line = next(line for line in output.splitlines() if f'{executable}: ' in line)
        assert '--log-level debug' in line and '__ns:=/left' in line, output
        assert any(
            'use_sim_time: true' in each for each in output.splitlines() if executable in each
        )
    assert 'own.yaml' in output and 'franka.yaml' in output
    for name in ('topreward', 'episode_reset'):
        text = launch_file(name).read_text(encoding='utf-8')
        declared = set(re.findall(r"DeclareLaunchArgument\(\s*'(\w+)'", text))
        assert declared <= {*given, *SET_BY_THE_EXAMPLE}, 'the example passes on all but these'
