# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Starts the reward node on a camera, and configures and activates it."""

from launch import LaunchContext, LaunchDescription
from launch.action import Action
from launch.actions import DeclareLaunchArgument, OpaqueFunction, Shutdown
from launch_ros.actions import LifecycleNode

from topreward_ros.nodes.common.launching import AS_PARAMS_FILE, brought_up, given, parameter_file
from topreward_ros.nodes.common.middleware import image_profile_environment, image_topic
from topreward_ros.share import share_directory

# Arguments that override the parameter of the same name, with its type.
PARAMETERS = {'task': str, 'model': str, 'image_transport': str, 'use_sim_time': bool}


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                'camera',
                default_value='image',
                description='image topic to watch; of a compressed one with or without /compressed',
            ),
            DeclareLaunchArgument(
                'task',
                default_value='',
                description=f'what the robot shall do, in words; {AS_PARAMS_FILE}',
            ),
            DeclareLaunchArgument(
                'model',
                default_value='',
                description=f'hub id or folder of a Qwen3-VL checkpoint; {AS_PARAMS_FILE}',
            ),
            DeclareLaunchArgument(
                'params_file',
                default_value=str(share_directory() / 'config' / 'topreward.yaml'),
                description='parameters of the node',
            ),
            DeclareLaunchArgument(
                'namespace',
                default_value='',
                description='namespace of the node and its topics',
            ),
            DeclareLaunchArgument(
                'image_transport',
                default_value='',
                choices=['', 'raw', 'compressed'],
                description=f'{AS_PARAMS_FILE}, and camera then is the whole name of the topic',
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
            OpaqueFunction(function=start_reward_node),
        ]
    )


def start_reward_node(context: LaunchContext) -> list[Action]:
    arguments = context.launch_configurations
    node = LifecycleNode(
        package='topreward_ros',
        executable='reward_node',
        name='topreward',
        namespace=arguments['namespace'],
        # This file is the lifecycle manager, whatever params_file says of autostart.
        parameters=[
            parameter_file(arguments['params_file']),
            {**given(arguments, PARAMETERS), 'autostart': False},
        ],
        remappings=[('image', image_topic(arguments['camera'], arguments['image_transport']))],
        additional_env=image_profile_environment(context.environment),
        arguments=['--ros-args', '--log-level', arguments['log_level']],
        output='screen',
        on_exit=Shutdown(reason='the node has ended'),
    )
    return brought_up(node)
