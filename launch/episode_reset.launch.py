# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Starts the episode reset node beside a reward node, and configures and activates it.

With config/so100.yaml or config/franka.yaml as params_file, the arm moves home after each episode.
"""

from launch import LaunchContext, LaunchDescription
from launch.action import Action
from launch.actions import DeclareLaunchArgument, OpaqueFunction, Shutdown
from launch_ros.actions import LifecycleNode

from topreward_ros.nodes.common.launching import AS_PARAMS_FILE, brought_up, given, parameter_file
from topreward_ros.share import share_directory

# Arguments that override the parameter of the same name, with its type.
PARAMETERS = {'reward_node': str, 'episode_time': float, 'log_file': str, 'use_sim_time': bool}


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                'params_file',
                default_value=str(share_directory() / 'config' / 'episode_reset.yaml'),
                description='parameters of the node, or the name of a robot: so100, franka',
            ),
            DeclareLaunchArgument(
                'reward_node',
                default_value='',
                description=f'name of the reward node; {AS_PARAMS_FILE}',
            ),
            DeclareLaunchArgument(
                'episode_time',
                default_value='',
                description=f'when an episode has failed [s]; {AS_PARAMS_FILE}',
            ),
            DeclareLaunchArgument(
                'log_file',
                default_value='',
                description=f'CSV with a row for every episode; {AS_PARAMS_FILE}',
            ),
            DeclareLaunchArgument(
                'namespace',
                default_value='',
                description='namespace of the node and its topics',
            ),
            DeclareLaunchArgument(
                'use_sim_time',
                default_value='',
                description=f'true to follow /clock, else false; {AS_PARAMS_FILE}',
            ),
            DeclareLaunchArgument(
                'log_level',
                default_value='info',
                description='debug, info, warn, error or fatal',
            ),
            OpaqueFunction(function=start_episode_reset_node),
        ]
    )


def start_episode_reset_node(context: LaunchContext) -> list[Action]:
    arguments = context.launch_configurations
    node = LifecycleNode(
        package='topreward_ros',
        executable='episode_reset_node',
        name='episode_reset',
        namespace=arguments['namespace'],
        # This file is the lifecycle manager, whatever params_file says of autostart.
        parameters=[
            parameter_file(arguments['params_file']),
            {**given(arguments, PARAMETERS), 'autostart': False},
        ],
        arguments=['--ros-args', '--log-level', arguments['log_level']],
        output='screen',
        on_exit=Shutdown(reason='the node has ended'),
    )
    return brought_up(node)
