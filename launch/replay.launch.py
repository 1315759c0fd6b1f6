# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Score a bag with the reward node in simulated time, and end after the bag."""

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

from topreward_ros.nodes.common.launching import UNLESS_EMPTY
from topreward_ros.nodes.common.middleware import image_profile_environment
from topreward_ros.recordings.bags.message_types import COMPRESSED_IMAGE
from topreward_ros.recordings.bags.reader import Bag
from topreward_ros.recordings.source_options import TOPIC_TASK
from topreward_ros.share import share_directory

DISCOVERY_TIME = 2.0  # from the start of the player to its first message [s]
LAST_SCORE_TIME = 5.0  # from the end of the bag to that of the node [s]


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription(
        [
            DeclareLaunchArgument('bag', description='folder of a rosbag, or its file'),
            DeclareLaunchArgument(
                'camera',
                default_value='',
                description='image topic in the bag; if empty, the only one',
            ),
            DeclareLaunchArgument(
                'task',
                default_value='',
                description=f'task of the robot, in words; if empty, {TOPIC_TASK} in the bag',
            ),
            DeclareLaunchArgument(
                'model',
                default_value='',
                description=f'hub id or folder of a vision-language model; {UNLESS_EMPTY}',
            ),
            DeclareLaunchArgument(
                'rate', default_value='1.0', description='playback speed; 1 is real time'
            ),
            DeclareLaunchArgument(
                'params_file',
                default_value=str(share_directory() / 'config' / 'topreward.yaml'),
                description='parameter file of the node, or the name of one in config/',
            ),
            OpaqueFunction(function=start_replay),
        ]
    )


def start_replay(context: LaunchContext) -> list[Action]:
    """Return the actions; raises a BagError, before any start, if the bag has no images."""
    arguments = context.launch_configurations
    with Bag(arguments['bag'], arguments['camera'] or None) as bag:
        camera = next(topic for topic in bag.topics if topic.name == bag.image_topic)
    # Other topics are not played: they may have old scores, or another task.
    topics = [camera.name] if arguments['task'].strip() else [camera.name, TOPIC_TASK]
    play = ['ros2', 'bag', 'play', str(bag.path), '--clock', '--rate', arguments['rate']]
    player = ExecuteProcess(
        cmd=[*play, '--delay', str(DISCOVERY_TIME), '--topics', *topics],
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
    # Ends the node, which ends the launch: a Shutdown action would be followed by a second one.
    end_node = ShutdownProcess(process_matcher=lambda action: isinstance(action, LifecycleNode))
    last_score = TimerAction(period=LAST_SCORE_TIME, actions=[EmitEvent(event=end_node)])
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
