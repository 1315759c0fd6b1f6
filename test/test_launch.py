# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The launch file: arguments, remapping, parameters, lifecycle events; and started for real."""

import os
import signal
import subprocess
import sys
import time
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

# Not `launch`: that is also a folder of the checkout.
pytest.importorskip('launch_ros', reason='launch_ros is not installed')

from launch import Action, LaunchContext
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch_ros.events.lifecycle import StateTransition
from launch_ros.utilities import evaluate_parameters, normalize_parameters
from lifecycle_msgs.msg import Transition, TransitionEvent

from topreward_ros.share import share_directory

PROFILE = 'FASTDDS_DEFAULT_PROFILES_FILE'


@pytest.fixture(scope='module')
def launch_file() -> ModuleType:
    path = share_directory() / 'launch' / 'topreward.launch.py'
    spec = spec_from_file_location('topreward_launch', path)
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def context(launch_file: ModuleType) -> LaunchContext:
    """Return a context in which every argument has its default."""
    context = LaunchContext()
    for entity in launch_file.generate_launch_description().entities:
        if isinstance(entity, DeclareLaunchArgument):
            entity.execute(context)
    return context


def start(launch_file: ModuleType, context: LaunchContext, **arguments: str) -> list[Action]:
    """Return what the launch file starts: an event handler, the node and an event."""
    context.launch_configurations.update(arguments)
    return launch_file.start_reward_node(context)


def parameters(launch_file: ModuleType, context: LaunchContext, **arguments: str) -> dict:
    context.launch_configurations.update(arguments)
    overrides = launch_file.overrides(context.launch_configurations)
    (values,) = evaluate_parameters(context, normalize_parameters([overrides]))
    return values


def test_arguments(launch_file: ModuleType) -> None:
    description = launch_file.generate_launch_description()
    arguments = [argument.name for argument in description.get_launch_arguments()]
    assert arguments == [
        'camera', 'task', 'model', 'params_file', 'namespace', 'image_transport', 'use_sim_time',
        'log_level',
    ]  # fmt: skip
    assert all(argument.description for argument in description.get_launch_arguments())
    assert isinstance(description.entities[-1], OpaqueFunction)


@pytest.mark.parametrize(
    'camera, image_transport, topic',
    [
        ('/top/image_raw', '', '/top/image_raw'),
        ('/top/image_raw', 'raw', '/top/image_raw'),
        ('/top/image_raw', 'compressed', '/top/image_raw/compressed'),
        ('/top/image_raw/compressed', 'compressed', '/top/image_raw/compressed'),
        ('/top/image_raw/compressed', '', '/top/image_raw/compressed'),
    ],
)
def test_camera(
    launch_file: ModuleType, context: LaunchContext, camera: str, image_transport: str, topic: str
) -> None:
    _, node, _ = start(launch_file, context, camera=camera, image_transport=image_transport)
    node._perform_substitutions(context)
    assert node.expanded_remapping_rules == [('image', topic)]


def test_name_and_namespace(launch_file: ModuleType, context: LaunchContext) -> None:
    _, node, _ = start(launch_file, context, namespace='left_arm')
    node._perform_substitutions(context)
    assert node.node_name == '/left_arm/topreward'


def test_arguments_left_empty_leave_params_file_alone(
    launch_file: ModuleType, context: LaunchContext
) -> None:
    assert launch_file.overrides(context.launch_configurations) == {}


def test_arguments_override_parameters(launch_file: ModuleType, context: LaunchContext) -> None:
    task = "12: put {the cup} on $(the) 'shelf'"  # text, whatever YAML would make of it
    arguments = {'task': task, 'model': '7', 'image_transport': 'raw', 'use_sim_time': 'true'}
    expected = {**arguments, 'use_sim_time': True}
    assert parameters(launch_file, context, **arguments) == expected


def test_images_of_any_size_arrive(
    launch_file: ModuleType, context: LaunchContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv('RMW_IMPLEMENTATION', raising=False)
    monkeypatch.setenv('ROS_DISTRO', 'kilted')
    monkeypatch.delenv(PROFILE, raising=False)
    _, node, _ = start(launch_file, context)
    assert PROFILE in {key[0].text for key, _ in node.additional_env}


def test_profile_of_the_user_stays(
    launch_file: ModuleType, context: LaunchContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PROFILE, 'mine.xml')
    _, node, _ = start(launch_file, context)
    assert not node.additional_env


def test_configures_then_activates(launch_file: ModuleType, context: LaunchContext) -> None:
    handler, node, configure = start(launch_file, context)
    assert configure.event.transition_id == Transition.TRANSITION_CONFIGURE
    assert configure.event.lifecycle_node_matcher(node)

    handler = handler.event_handler
    assert handler.matches(transition(node, 'configuring', 'inactive'))
    assert not handler.matches(transition(node, 'deactivating', 'inactive'))
    assert not handler.matches(transition(node, 'configuring', 'unconfigured'))
    (activate,) = handler.entities
    assert activate.event.transition_id == Transition.TRANSITION_ACTIVATE
    assert activate.event.lifecycle_node_matcher(node)


START = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource

file, *arguments = sys.argv[1:]
service = LaunchService(argv=[])
pairs = [argument.split(':=', 1) for argument in arguments]
included = IncludeLaunchDescription(PythonLaunchDescriptionSource(file), launch_arguments=pairs)
service.include_launch_description(LaunchDescription([included]))
sys.exit(service.run())
"""


def test_the_real_node_is_configured_and_activated(checkpoint_folder: Path, tmp_path: Path) -> None:
    from ament_index_python.packages import PackageNotFoundError, get_package_prefix

    try:
        get_package_prefix('topreward_ros')
    except (PackageNotFoundError, OSError) as error:
        pytest.skip(f'only an installed package can be launched: {error}')
    file = share_directory() / 'launch' / 'topreward.launch.py'
    log = tmp_path / 'launch.log'
    arguments = ['camera:=/top/image_raw', f'model:={checkpoint_folder}', 'task:=Close: the lid']
    with log.open('w') as stream:
        process = subprocess.Popen(
            [sys.executable, '-c', START, str(file), *arguments, 'namespace:=/left'],
            stdout=stream,
            stderr=subprocess.STDOUT,
            cwd=tmp_path,
            env={**os.environ, 'ROS_DOMAIN_ID': '101'},
        )
    end = time.monotonic() + 60
    while 'watching /top/image_raw' not in log.read_text() and time.monotonic() < end:
        assert process.poll() is None, log.read_text()
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    process.wait(timeout=30)
    said = log.read_text()
    assert 'loaded in' in said and 'episode 1 (a new task): Close: the lid' in said
    assert '[left.topreward]' in said and 'finished cleanly' in said


def transition(node: Action, start_state: str, goal_state: str) -> StateTransition:
    message = TransitionEvent()
    message.start_state.label = start_state
    message.goal_state.label = goal_state
    return StateTransition(action=node, msg=message)
