# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Score a bag with the reward node in simulated time, and end after the bag."""

import shutil

from launch import Event, LaunchContext, LaunchDescription
from launch.action import Action
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    ExecuteProcess,
    IncludeLaunchDescription,
    RegisterEventHandler,
    TimerAction,
)
from launch.events.process import ProcessExited, ShutdownProcess
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch_ros.actions import LifecycleNode
from launch_ros.event_handlers import OnStateTransition
from launch_ros.events.lifecycle import StateTransition

from topreward_ros.nodes.common.launching import UNLESS_EMPTY, description_of, end_launch
from topreward_ros.nodes.common.middleware import image_profile_environment
from topreward_ros.recordings.bags.message_types import COMPRESSED_IMAGE
from topreward_ros.recordings.bags.reader import Bag
from topreward_ros.recordings.source_options import TOPIC_TASK
from topreward_ros.scoring.loading.options import REWARD_MODELS
from topreward_ros.scoring.sampling import HISTORIES
from topreward_ros.share import share_directory

DISCOVERY_TIME = 2.0  # from the start of the player to its first message [s]
LAST_SCORE_TIME = 5.0  # from the end of the bag to that of the node [s]


def generate_launch_description() -> LaunchDescription:
    return description_of(
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
                'reward_model',
                default_value='',
                choices=['', 'auto', *REWARD_MODELS],
                description=f'reward model by which it scores; {UNLESS_EMPTY}',
            ),
            DeclareLaunchArgument(
                'history',
                default_value='',
                choices=['', *HISTORIES],
                description='what is dropped of a long episode: every second pair of frames (thin) '
                f'or the oldest frames (last); {UNLESS_EMPTY}',
            ),
            DeclareLaunchArgument(
                'rate', default_value='1.0', description='playback speed; 1 is real time'
            ),
            DeclareLaunchArgument(
                'params_file',
                default_value=str(share_directory() / 'config' / 'topreward.yaml'),
                description='parameter file of the node, or the name of one in config/',
            ),
        ],
        start_replay,
        __file__,
    )


def start_replay(context: LaunchContext) -> list[Action]:
    """Return the actions; raises before any start if the bag has no images, or cannot be played."""
    arguments = context.launch_configurations
    if shutil.which('ros2') is None:
        raise RuntimeError('the bag is played by ros2 bag, and there is no ros2 on the PATH')
    with Bag(arguments['bag'], arguments['camera'] or None) as bag:
        camera = next(topic for topic in bag.topics if topic.name == bag.image_topic)
    # Other topics are not played: they may have old scores, or another task.
    topics = [camera.name] if arguments['task'].strip() else [camera.name, TOPIC_TASK]
    play = ['ros2', 'bag', 'play', str(bag.path), '--clock', '--rate', arguments['rate']]
    player = ExecuteProcess(
        cmd=[*play, '--delay', str(DISCOVERY_TIME), '--topics', *topics],
        additional_env=image_profile_environment(context.environment),
        output='screen',
        on_exit=end_after,
    )
    node = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(share_directory() / 'launch' / 'topreward.launch.py')),
        launch_arguments={
            'camera': camera.name,
            'task': arguments['task'],
            'model': arguments['model'],
            'reward_model': arguments['reward_model'],
            'second_opinion': '',
            'second_reward_model': '',
            'history': arguments['history'],
            'params_file': arguments['params_file'],
            'image_transport': 'compressed' if camera.type == COMPRESSED_IMAGE else 'raw',
            'use_sim_time': 'true',
            'namespace': '',
            'log_level': 'info',
            'on_exit': 'shutdown',  # a node that fails ends the replay, and not with 0
        }.items(),
    )
    once_active = OnStateTransition(
        matcher=is_activated,
        entities=[player],
        handle_once=True,
    )
    return [RegisterEventHandler(once_active), node]


def is_node(action: Action) -> bool:
    """Whether this is the node that is replayed to, and no other of the same launch."""
    return isinstance(action, LifecycleNode) and action.node_name == '/topreward'


def is_activated(event: Event) -> bool:
    """Whether this is the node's becoming active."""
    return (
        isinstance(event, StateTransition)
        and is_node(event.action)
        and (event.start_state, event.goal_state) == ('activating', 'active')
    )


def end_after(event: ProcessExited, context: LaunchContext) -> Action | None:
    """Let the last image be scored, and end the node, which ends the launch."""
    if event.returncode or context.is_shutdown:
        return end_launch(event, context)
    # Not a Shutdown action: the end of the node would be followed by a second one.
    end_node = ShutdownProcess(process_matcher=is_node)
    return TimerAction(period=LAST_SCORE_TIME, actions=[EmitEvent(event=end_node)])
