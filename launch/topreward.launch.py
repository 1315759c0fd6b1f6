# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Start the reward node with a camera, configure it and activate it."""

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
from topreward_ros.nodes.common.middleware import image_profile_environment, image_topic
from topreward_ros.nodes.reward.settings import RewardSettings
from topreward_ros.scoring.loading.options import REWARD_MODELS
from topreward_ros.scoring.sampling import HISTORIES
from topreward_ros.share import share_directory

# Arguments that override the parameters of the same names, with their types
PARAMETERS = {
    'task': str,
    'model': str,
    'reward_model': str,
    'second_opinion': str,
    'second_reward_model': str,
    'history': str,
    'image_transport': str,
    'use_sim_time': bool,
}


def generate_launch_description() -> LaunchDescription:
    return description_of(
        [
            DeclareLaunchArgument(
                'camera',
                default_value='image',
                description='image topic; for a compressed one with or without /compressed',
            ),
            DeclareLaunchArgument(
                'task',
                default_value='',
                description=f'task of the robot, in words; {UNLESS_EMPTY}',
            ),
            DeclareLaunchArgument(
                'model',
                default_value='',
                description=f'hub id or folder of a vision-language model; {UNLESS_EMPTY}',
            ),
            DeclareLaunchArgument(
                'reward_model',
                default_value='',
                choices=['', 'auto', *REWARD_MODELS],
                description=f'reward model by which it scores; {UNLESS_EMPTY}',
            ),
            DeclareLaunchArgument(
                'second_opinion',
                default_value='',
                description='hub id or folder of a second model, asked where the first one is '
                f'unsure; {UNLESS_EMPTY}',
            ),
            DeclareLaunchArgument(
                'second_reward_model',
                default_value='',
                choices=['', 'auto', *REWARD_MODELS],
                description=f'reward model by which the second model scores; {UNLESS_EMPTY}',
            ),
            DeclareLaunchArgument(
                'history',
                default_value='',
                choices=['', *HISTORIES],
                description='what is dropped of a long episode: every second pair of frames (thin) '
                f'or the oldest frames (last); {UNLESS_EMPTY}',
            ),
            DeclareLaunchArgument(
                'params_file',
                default_value=str(share_directory() / 'config' / 'topreward.yaml'),
                description='parameter file of the node, or the name of one in config/',
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
                description=f'raw or compressed; {UNLESS_EMPTY} and camera is the full topic name',
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
        start_reward_node,
        __file__,
    )


def start_reward_node(context: LaunchContext) -> list[Action]:
    arguments = context.launch_configurations
    node = LifecycleNode(
        package='topreward_ros',
        executable='reward_node',
        name='topreward',
        namespace=arguments['namespace'],
        # It configures and activates itself: the exit code then tells whether it could.
        parameters=[
            own_parameter_file(context, 'topreward', RewardSettings),
            {**parameter_overrides(arguments, PARAMETERS), 'autostart': True},
        ],
        remappings=[('image', image_topic(arguments['camera'], arguments['image_transport']))],
        additional_env=image_profile_environment(context.environment),
        arguments=['--ros-args', '--log-level', arguments['log_level']],
        output='screen',
        **ending(context, __file__),
    )
    return [node]
