# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Start the episode reset node for a reward node, configure it and activate it.

With params_file:=so100, so101 or franka the arm moves home after each episode.
"""

from launch import LaunchContext, LaunchDescription
from launch.action import Action
from launch.actions import DeclareLaunchArgument
from launch_ros.actions import LifecycleNode

from topreward_ros.nodes.common.launching import (
    UNLESS_EMPTY,
    argument_on_exit,
    description_of,
    ending,
    own_parameter_file,
    parameter_overrides,
)
from topreward_ros.nodes.reset.settings import ResetSettings
from topreward_ros.share import share_directory

# Arguments that override the parameters of the same names, with their types
PARAMETERS = {'reward_node': str, 'episode_time': float, 'log_file': str, 'use_sim_time': bool}


def generate_launch_description() -> LaunchDescription:
    return description_of(
        [
            DeclareLaunchArgument(
                'params_file',
                default_value=str(share_directory() / 'config' / 'episode_reset.yaml'),
                description='parameter file, or the name of a robot: so100, so101, franka',
            ),
            DeclareLaunchArgument(
                'reward_node',
                default_value='',
                description=f'name of the reward node; {UNLESS_EMPTY}',
            ),
            DeclareLaunchArgument(
                'episode_time',
                default_value='',
                description=f'time limit of an episode [s]; {UNLESS_EMPTY}',
            ),
            DeclareLaunchArgument(
                'log_file',
                default_value='',
                description=f'CSV file to which a row per episode is appended; {UNLESS_EMPTY}',
            ),
            DeclareLaunchArgument(
                'namespace',
                default_value='',
                description='namespace of the node and its topics',
            ),
            DeclareLaunchArgument(
                'use_sim_time',
                default_value='',
                description=f'true for simulated time (/clock), else false; {UNLESS_EMPTY}',
            ),
            DeclareLaunchArgument(
                'log_level',
                default_value='info',
                description='log level of the node: debug, info, warn, error or fatal',
            ),
            argument_on_exit(),
        ],
        start_episode_reset_node,
        __file__,
    )


def start_episode_reset_node(context: LaunchContext) -> list[Action]:
    arguments = context.launch_configurations
    node = LifecycleNode(
        package='topreward_ros',
        executable='episode_reset_node',
        name='episode_reset',
        namespace=arguments['namespace'],
        # It configures and activates itself: the exit code then tells whether it could.
        parameters=[
            own_parameter_file(context, 'episode_reset', ResetSettings),
            {**parameter_overrides(arguments, PARAMETERS), 'autostart': True},
        ],
        arguments=['--ros-args', '--log-level', arguments['log_level']],
        output='screen',
        **ending(context, __file__),
    )
    return [node]
