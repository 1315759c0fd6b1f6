# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The launch files: arguments, remapping, parameters, lifecycle events, and real processes."""

import os
import signal
import subprocess
import sys
import time
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest
import yaml

# Not `launch`: that is also a folder of the checkout.
pytest.importorskip('launch_ros', reason='launch_ros is not installed')

from launch import Action, LaunchContext
from launch.actions import OpaqueFunction, TimerAction
from launch.events.process import ProcessExited
from launch_ros.actions import LifecycleNode
from launch_ros.events.lifecycle import StateTransition
from lifecycle_msgs.msg import TransitionEvent

from topreward_ros.recordings.bags.errors import BagError
from topreward_ros.results.video import write_image_bag
from topreward_ros.share import share_directory

CONFIG = share_directory() / 'config'
PROFILE = 'FASTDDS_DEFAULT_PROFILES_FILE'


class Launch:
    """A launch file in a context with the default of every argument."""

    def __init__(self, name: str, **required: str) -> None:
        file = share_directory() / 'launch' / f'{name}.launch.py'
        spec = spec_from_file_location(f'{name}_launch', file)
        assert spec is not None and spec.loader is not None
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        self.description = module.generate_launch_description()
        self.context = LaunchContext()
        self.context.launch_configurations.update(required)
        for argument in self.description.get_launch_arguments():
            argument.execute(self.context)

    def execute(self, **arguments: str) -> list[Action]:
        """Return the actions that start with these arguments."""
        assert arguments.keys() <= self.context.launch_configurations.keys()
        self.context.launch_configurations.update(arguments)
        (group,) = self.description.entities
        start = next(e for e in group.get_sub_entities() if isinstance(e, OpaqueFunction))
        return start.execute(self.context)

    def start(self, **arguments: str) -> LifecycleNode:
        """Return its node."""
        (node,) = self.execute(**arguments)
        node._perform_substitutions(self.context)
        return node

    def parameters(self, **arguments: str) -> tuple[Path, dict]:
        """Return the params_file of the node, and the parameters that override it."""
        node = self.start(**arguments)
        (params_file, _), (overrides, _) = node._Node__expanded_parameter_arguments
        (values,) = yaml.safe_load(Path(overrides).read_text()).values()
        return Path(params_file), values['ros__parameters']


@pytest.fixture
def reward() -> Launch:
    return Launch('topreward')


@pytest.fixture
def reset() -> Launch:
    return Launch('episode_reset')


@pytest.fixture(params=['topreward', 'episode_reset'])
def either(request: pytest.FixtureRequest) -> Launch:
    return Launch(request.param)


# Both launch files


def test_every_argument_is_described(either: Launch) -> None:
    arguments = either.description.get_launch_arguments()
    undescribed = {'', 'no description given'}  # the latter is launch's own
    assert arguments and undescribed.isdisjoint(argument.description for argument in arguments)


@pytest.mark.parametrize('name', ['topreward', 'episode_reset'])
def test_name_and_namespace(name: str) -> None:
    node = Launch(name).start(namespace='left_arm')
    assert node.node_name == f'/left_arm/{name}'


@pytest.mark.parametrize('name', ['topreward', 'episode_reset'])
def test_arguments_left_empty_leave_params_file_alone(name: str) -> None:
    assert Launch(name).parameters() == (CONFIG / f'{name}.yaml', {'autostart': True})


def test_autostart_of_params_file_is_overruled(either: Launch, tmp_path: Path) -> None:
    mine = tmp_path / 'mine.yaml'
    mine.write_text('/**: {ros__parameters: {autostart: false}}')
    assert either.parameters(params_file=str(mine)) == (mine, {'autostart': True})


def transition(node: Action, start_state: str, goal_state: str) -> StateTransition:
    message = TransitionEvent()
    message.start_state.label = start_state
    message.goal_state.label = goal_state
    return StateTransition(action=node, msg=message)


# The reward node's


def test_arguments_of_the_reward_node(reward: Launch) -> None:
    assert [argument.name for argument in reward.description.get_launch_arguments()] == [
        'camera', 'task', 'model', 'reward_model', 'second_opinion', 'second_reward_model',
        'history', 'params_file', 'namespace', 'image_transport', 'use_sim_time', 'log_level',
        'on_exit',
    ]  # fmt: skip


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
def test_camera(reward: Launch, camera: str, image_transport: str, topic: str) -> None:
    node = reward.start(camera=camera, image_transport=image_transport)
    assert node.expanded_remapping_rules == [('image', topic)]


def test_arguments_override_parameters_of_the_reward_node(reward: Launch) -> None:
    task = "12: put {the cup} on $(the) 'shelf'"  # not parsed as YAML
    arguments = {
        'task': task, 'model': '7', 'reward_model': 'robometer', 'second_opinion': '8',
        'second_reward_model': 'topreward', 'history': 'last',
        'image_transport': 'raw', 'use_sim_time': 'true',
    }  # fmt: skip
    _, overrides = reward.parameters(**arguments)
    assert overrides == {**arguments, 'use_sim_time': True, 'autostart': True}


def test_images_of_any_size_arrive(reward: Launch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv('RMW_IMPLEMENTATION', raising=False)
    monkeypatch.setenv('ROS_DISTRO', 'kilted')
    monkeypatch.delenv(PROFILE, raising=False)
    node = reward.start()
    assert PROFILE in {key[0].text for key, _ in node.additional_env}


def test_profile_of_the_user_stays(reward: Launch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PROFILE, 'mine.xml')
    node = reward.start()
    assert not node.additional_env


# The reset node's


def test_arguments_of_the_reset_node(reset: Launch) -> None:
    assert [argument.name for argument in reset.description.get_launch_arguments()] == [
        'params_file', 'reward_node', 'episode_time', 'log_file', 'namespace', 'use_sim_time',
        'log_level', 'on_exit',
    ]  # fmt: skip


@pytest.mark.parametrize('robot', ['so100', 'so101', 'franka'])
def test_params_file_may_be_the_name_of_a_robot(reset: Launch, robot: str) -> None:
    params_file, _ = reset.parameters(params_file=robot)
    assert params_file == CONFIG / f'{robot}.yaml' and params_file.is_file()


@pytest.mark.parametrize('file', ['so100.yaml', './so100', '{here}/so100'])
def test_params_file_may_be_a_file(
    reset: Launch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    monkeypatch.chdir(tmp_path)
    file = file.format(here=tmp_path)
    Path(file).write_text('/**: {ros__parameters: {reset: home_motion}}')
    assert reset.parameters(params_file=file)[0] == Path(file)


@pytest.mark.parametrize('file', ['so1oo', 'mine.yml', '/no/such/file.yaml'])
def test_params_file_that_is_not_there(either: Launch, file: str) -> None:
    with pytest.raises(RuntimeError, match=r'does not exist; expected a path, or one of .*so100'):
        either.parameters(params_file=file)


@pytest.mark.parametrize('seconds', ['20', '2e1', '20.0'])
def test_arguments_override_parameters_of_the_reset_node(reset: Launch, seconds: str) -> None:
    arguments = {'reward_node': '7', 'log_file': '~/a: b.csv', 'use_sim_time': 'false'}
    _, overrides = reset.parameters(episode_time=seconds, **arguments)
    expected = {**arguments, 'episode_time': 20.0, 'use_sim_time': False, 'autostart': True}
    assert overrides == expected
    assert isinstance(overrides['episode_time'], float)  # ROS refuses an integer


# Replay


class Replay(Launch):
    """The launch file that plays a bag."""

    def __init__(self, bag: Path) -> None:
        super().__init__('replay', bag=str(bag))

    def command(self, **arguments: str) -> list[str]:
        """Return the words of the command that plays the bag."""
        once_active, _ = self.execute(**arguments)
        (player,) = once_active.event_handler.entities
        return [
            ''.join(part.perform(self.context) for part in parts)
            for parts in player.process_description.cmd
        ]


@pytest.fixture
def player(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Replaces rosbag2, which may not be installed."""
    player = tmp_path / 'bin' / 'ros2'
    player.parent.mkdir()
    player.write_text('#!/bin/sh\necho "ros2 $*"\n')
    player.chmod(0o755)
    monkeypatch.setenv('PATH', f'{player.parent}:{os.environ["PATH"]}')
    return player


@pytest.fixture
def bag(tmp_path: Path, player: Path) -> Path:
    write_image_bag(tmp_path / 'bag', [np.zeros((32, 32, 3), np.uint8)] * 3, 10.0, 'Do it.')
    return tmp_path / 'bag'


def test_arguments_of_a_replay(bag: Path) -> None:
    arguments = Replay(bag).description.get_launch_arguments()
    names = [argument.name for argument in arguments]
    assert names[:5] == ['bag', 'camera', 'task', 'model', 'reward_model']
    assert names[5:8] == ['history', 'rate', 'params_file']
    assert all(argument.description for argument in arguments)


def test_a_bag_is_played_with_the_clock_once_the_node_is_active(bag: Path) -> None:
    once_active, _ = Replay(bag).execute()
    node, other = named_node('topreward'), named_node('arm')
    handler = once_active.event_handler
    assert not handler.matches(transition(other, 'activating', 'active'))
    assert handler.matches(transition(node, 'activating', 'active'))
    assert not handler.matches(transition(node, 'configuring', 'inactive'))
    command = Replay(bag).command(rate='2.5')
    assert command[:4] == ['ros2', 'bag', 'play', str(bag)] and '--clock' in command
    assert command[command.index('--rate') + 1] == '2.5'


def test_the_task_is_the_bags_or_the_one_given(bag: Path) -> None:
    command = Replay(bag).command()
    assert command[command.index('--topics') :] == [
        '--topics', '/camera/image_raw', '/topreward/task'
    ]  # fmt: skip
    command = Replay(bag).command(task='Close the lid.', camera='/camera/image_raw')
    assert command[command.index('--topics') :] == ['--topics', '/camera/image_raw']


def test_a_replayed_node_follows_the_bags_clock(bag: Path) -> None:
    _, node = Replay(bag).execute(task='Close the lid.', model='mine', reward_model='robometer')
    assert dict(node.launch_arguments) == {
        'camera': '/camera/image_raw', 'task': 'Close the lid.', 'model': 'mine',
        'reward_model': 'robometer', 'second_opinion': '', 'second_reward_model': '', 'history': '',
        'params_file': str(CONFIG / 'topreward.yaml'), 'image_transport': 'raw',
        'use_sim_time': 'true', 'namespace': '', 'log_level': 'info', 'on_exit': 'shutdown',
    }  # fmt: skip


def named_node(name: str) -> LifecycleNode:
    node = LifecycleNode(package='topreward_ros', executable='x', name=name, namespace='')
    node._perform_substitutions(LaunchContext())
    return node


def test_a_replay_ends_a_moment_after_the_bag(bag: Path) -> None:
    replay = Replay(bag)
    once_active, _ = replay.execute()
    (player,) = once_active.event_handler.entities
    end_after = player._ExecuteLocal__on_exit
    described = {'action': player, 'name': 'ros2', 'cmd': [], 'cwd': None, 'env': None, 'pid': 1}
    timer = end_after(ProcessExited(**described, returncode=0), replay.context)
    assert isinstance(timer, TimerAction)
    ends = timer.actions[0].event.process_matcher
    assert ends(named_node('topreward'))
    assert not ends(named_node('arm')) and not ends(player)
    with pytest.raises(RuntimeError, match='ros2 ended with exit code 3'):
        end_after(ProcessExited(**described, returncode=3), replay.context)


def test_a_bag_without_images_starts_nothing(tmp_path: Path, player: Path) -> None:
    with pytest.raises(BagError, match='does not exist'):
        Replay(tmp_path / 'none').execute()


# Real processes


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


def run_launch(name: str, folder: Path, *arguments: str, until: str = '') -> str:
    """Launch a node, interrupt it once its output contains `until`, and return the output.

    Without `until` it must end without an interrupt.
    """
    from ament_index_python.packages import PackageNotFoundError, get_package_prefix

    try:
        get_package_prefix('topreward_ros')
    except (PackageNotFoundError, OSError) as error:
        pytest.skip(f'only an installed package can be launched: {error}')
    file = share_directory() / 'launch' / f'{name}.launch.py'
    log = folder / 'launch.log'
    with log.open('w') as stream:
        process = subprocess.Popen(
            [sys.executable, '-c', START, str(file), *arguments],
            stdout=stream,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={**os.environ, 'ROS_DOMAIN_ID': '101'},
            start_new_session=True,
        )
    if not until:
        assert process.wait(timeout=60) == 0, log.read_text()
        return log.read_text()
    end = time.monotonic() + 60
    while until not in log.read_text() and time.monotonic() < end:
        assert process.poll() is None, log.read_text()
        time.sleep(0.2)
    os.killpg(process.pid, signal.SIGINT)  # launch and the node, as a terminal does
    process.wait(timeout=30)
    return log.read_text()


def test_the_real_reward_node_is_configured_and_activated(
    checkpoint_folder: Path, tmp_path: Path
) -> None:
    arguments = ['camera:=/top/image_raw', f'model:={checkpoint_folder}', 'task:=Close: the lid']
    output = run_launch(
        'topreward', tmp_path, *arguments, 'namespace:=/left', until='subscribed to /top/image_raw'
    )
    assert 'loaded in' in output and 'episode 1 (a new task): Close: the lid' in output
    assert '[left.topreward]' in output
    assert 'finished cleanly' in output and 'SIGTERM' not in output


def test_the_real_reset_node_is_configured_and_activated(tmp_path: Path) -> None:
    log_file = tmp_path / 'episodes.csv'
    arguments = ['params_file:=so100', 'reward_node:=judge', f'log_file:={log_file}']
    problem = 'service /left/judge/start_episode is not available'  # only when active
    output = run_launch(
        'episode_reset',
        tmp_path,
        *arguments,
        'episode_time:=20',
        'namespace:=/left',
        until=problem,
    )
    assert f'reset: home_motion; log: {log_file}, 0 episodes' in output and problem in output
    assert '[left.episode_reset]' in output
    assert 'finished cleanly' in output and 'SIGTERM' not in output


def test_a_real_replay_begins_when_the_node_is_active_and_ends_by_itself(
    checkpoint_folder: Path, bag: Path, tmp_path: Path
) -> None:
    output = run_launch('replay', tmp_path, f'bag:={bag}', f'model:={checkpoint_folder}')
    start = output.index('subscribed to /camera/image_raw')
    assert start < output.index(f'ros2 bag play {bag} --clock')
    assert 'finished cleanly' in output and 'SIGTERM' not in output
