# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A robot's bringup with camera, arm, reward and episode reset, none of which ends the others.

    ros2 launch topreward_ros robot.launch.py arm_launch:=/path/to/arm.launch.py arm:=franka \
      task:="Put the block into the cup."

The other arguments go to the launch files of this package; their own descriptions tell them.
"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, GroupAction, IncludeLaunchDescription
from launch.launch_description_sources import AnyLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

from topreward_ros.nodes.common.middleware import image_profile_environment

CAMERA = '/camera/image_raw'


def generate_launch_description() -> LaunchDescription:
    arguments = {
        'arm_launch': ('launch file of the arm, with its controllers', None),
        'arm': ('parameters of the home motion: a name in config/, or a file', None),
        'camera_package': ('package of the camera driver', 'usb_cam'),
        'camera_executable': ('executable of the camera driver', 'usb_cam_node_exe'),
        'task': ('task of the robot, in words', None),
        'model': ('hub id or folder of a vision-language model', 'Qwen/Qwen3-VL-8B-Instruct'),
        'reward_model': ('reward model by which it scores: auto, topreward, robometer, ...', ''),
        'second_opinion': ('a second model, asked where the first one is unsure', ''),
        'second_reward_model': ('reward model by which the second model scores', ''),
        'history': ('what is dropped of a long episode: thin or last', ''),
        'reward_params_file': ('parameters of the reward node: a file', 'topreward'),
        'image_transport': ('raw or compressed', ''),
        'namespace': ('namespace of the reward and reset nodes and their topics', ''),
        'use_sim_time': ('true for simulated time (/clock), else false', ''),
        'log_level': ('log level of the nodes: debug, info, warn, error or fatal', 'info'),
    }
    camera = Node(
        package=LaunchConfiguration('camera_package'),
        executable=LaunchConfiguration('camera_executable'),
        remappings=[('image_raw', CAMERA)],
        additional_env=image_profile_environment(),  # lets images of any size arrive
        respawn=True,
        respawn_delay=2.0,
    )
    both = {name: LaunchConfiguration(name) for name in ('namespace', 'use_sim_time', 'log_level')}
    scoring = 'reward_model', 'second_opinion', 'second_reward_model', 'history'
    reward = {'camera': CAMERA, 'on_exit': 'respawn'} | {
        name: LaunchConfiguration(name) for name in ('task', 'model', *scoring, 'image_transport')
    }
    reward['params_file'] = LaunchConfiguration('reward_params_file')
    reset = {'params_file': LaunchConfiguration('arm')}
    return LaunchDescription(
        [
            *(
                DeclareLaunchArgument(name, description=text, default_value=default)
                for name, (text, default) in arguments.items()
            ),
            camera,
            included(LaunchConfiguration('arm_launch')),
            included(ours('topreward.launch.py'), **reward, **both),
            included(ours('episode_reset.launch.py'), **reset, **both),
        ]
    )


def ours(file: str) -> PathJoinSubstitution:
    return PathJoinSubstitution([FindPackageShare('topreward_ros'), 'launch', file])


def included(file: object, **arguments: object) -> GroupAction:
    """Include a launch file with these arguments, which end there: launch has only one scope."""
    source = AnyLaunchDescriptionSource(file)
    include = IncludeLaunchDescription(source, launch_arguments=list(arguments.items()))
    return GroupAction([include], scoped=True)
