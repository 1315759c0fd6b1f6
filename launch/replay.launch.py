# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Plays a bag through the reward node, in simulated time, and ends when the bag does."""

from launch import LaunchContext, LaunchDescription
from launch.action import Action
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    ExecuteProcess,
    IncludeLaunchDescription,
    OpaqueFunction,
    RegisterEventHandler,
    TimerAction,
)
from launch.event_handlers import OnProcessExit
from launch.events.process import ShutdownProcess
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch_ros.actions import LifecycleNode
from launch_ros.event_handlers import OnStateTransition

from topreward_ros.nodes.common.launching import AS_PARAMS_FILE
from topreward_ros.nodes.common.middleware import image_profile_environment
from topreward_ros.recordings.bags.episodes import TASK_TOPIC
from topreward_ros.recordings.bags.message_types import COMPRESSED_IMAGE
from topreward_ros.recordings.bags.reader import Bag
from topreward_ros.share import share_directory

DISCOVERY = 2.0  # from the player's start to its first message, so that it is heard [s]
LAST_SCORE = 5.0  # from the bag's end to the node's [s]


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription(
        [
            DeclareLaunchArgument('bag', description='folder of a rosbag, or its file'),
            DeclareLaunchArgument(
                'camera',
                default_value='',
                description='image topic in the bag; empty: the only one',
            ),
            DeclareLaunchArgument(
                'task',
                default_value='',
                description=f'what the robot does, in words; empty: as {TASK_TOPIC} in the bag',
            ),
            DeclareLaunchArgument(
                'model',
                default_value='',
                description=f'hub id or folder of a Qwen3-VL checkpoint; {AS_PARAMS_FILE}',
            ),
            DeclareLaunchArgument(
                'rate', default_value='1.0', description='how fast; 1 is real time'
            ),
            DeclareLaunchArgument(
                'params_file',
                default_value=str(share_directory() / 'config' / 'topreward.yaml'),
                description='parameters of the node',
            ),
            OpaqueFunction(function=start_replay),
        ]
    )


def start_replay(context: LaunchContext) -> list[Action]:
    """Raises a BagError before anything is started where the bag is not one of images."""
    arguments = context.launch_configurations
    with Bag(arguments['bag'], arguments['camera'] or None) as bag:
        camera = next(topic for topic in bag.topics if topic.name == bag.image_topic)
    # What the bag says on other topics is not for the node: old scores, or another task.
    topics = [camera.name] if arguments['task'].strip() else [camera.name, TASK_TOPIC]
    play = ['ros2', 'bag', 'play', str(bag.path), '--clock', '--rate', arguments['rate']]
    player = ExecuteProcess(
        cmd=[*play, '--delay', str(DISCOVERY), '--topics', *topics],
        additional_env=image_profile_environment(context.environment),
        output='screen',
    )
    node = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(share_directory() / 'launch' / 'topreward.launch.py')),
        launch_arguments={
            'camera': camera.name,
            'task': arguments['task'],
            'model': arguments['model'],
            'params_file': arguments['params_file'],
            'image_transport': 'compressed' if camera.type == COMPRESSED_IMAGE else 'raw',
            'use_sim_time': 'true',
        }.items(),
    )
    # The node's end is everything's: a Shutdown here would be followed by its own.
    end_node = ShutdownProcess(process_matcher=lambda action: isinstance(action, LifecycleNode))
    last_score = TimerAction(period=LAST_SCORE, actions=[EmitEvent(event=end_node)])
    once_active = OnStateTransition(
        start_state='activating', goal_state='active', entities=[player], handle_once=True
    )
    never_active = OnStateTransition(
        start_state='configuring',
        goal_state='unconfigured',
        entities=[EmitEvent(event=end_node)],
        handle_once=True,
    )
    return [
        RegisterEventHandler(once_active),
        RegisterEventHandler(never_active),
        RegisterEventHandler(OnProcessExit(target_action=player, on_exit=[last_score])),
        node,
    ]
