# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Every parameter of the episode reset node."""

from __future__ import annotations

from dataclasses import dataclass

from ..common import parameter_table
from ..common.parameter_table import Change, check, parameter

RESET_STEPS = ('trigger', 'home_motion', 'unfinished')
TASK_ORDERS = ('in_order', 'shuffled')
NO_NAMES = ('',)  # an empty list has no type in ROS
NO_NUMBERS = (0.0,)


@dataclass(frozen=True)
class ResetSettings:
    """The values of the parameters; raises ValueError if they are inconsistent."""

    reward_node: str = parameter(
        'topreward',
        'Name of the reward node; its topics and services are resolved below it.',
        Change.INACTIVE,
    )
    episode_time: float = parameter(
        60.0,
        'Time limit of an episode, after which it has failed; 0 for no limit [s].',
        Change.INACTIVE,
        range=(0.0, 86_400.0),
    )
    stall_time: float = parameter(
        0.0,
        'Time without a change of progress after which an episode has failed; 0 for no limit [s].',
        Change.INACTIVE,
        range=(0.0, 86_400.0),
    )
    stall_change: float = parameter(
        0.05,
        'Largest change of progress, up or down, that still counts as no change.',
        Change.INACTIVE,
        range=(0.0, 1.0),
    )
    tasks: tuple[str, ...] = parameter(
        NO_NAMES,
        "Tasks of the episodes, published on the reward node's ~/task; [''] keeps its own task.",
        Change.INACTIVE,
    )
    task_order: str = parameter(
        'in_order',
        'Order of the tasks: as listed or shuffled, each once per round.',
        Change.INACTIVE,
        choices=TASK_ORDERS,
    )
    task_seed: int = parameter(
        0,
        'Seed of the shuffled order.',
        Change.INACTIVE,
        range=(0, 2**31 - 1),
    )
    log_file: str = parameter(
        '~/.ros/topreward_episodes.csv',
        'CSV file to which a row per episode is appended; empty for none.',
        Change.INACTIVE,
    )
    reset: str = parameter(
        'trigger',
        'Steps of a reset in order, separated by commas: trigger calls a service of the scene or '
        'robot, home_motion moves the arm to the pose home, unfinished waits until the scene looks '
        'unfinished by the success rule.',
        Change.INACTIVE,
    )
    reset_time_limit: float = parameter(
        30.0,
        'Time limit of a step of a reset, after which it has failed; for a home motion, in '
        'addition to the duration of the motion [s].',
        Change.INACTIVE,
        range=(0.1, 3600.0),
    )
    reset_retries: int = parameter(
        2,
        'Calls of the service of a trigger reset after one that was not answered in time.',
        Change.INACTIVE,
        range=(0, 100),
    )
    suspicious_resets: int = parameter(
        3,
        'Episodes in a row that look finished from their start, after which the node stops, as the '
        'scene does not seem to be reset; 0 for no limit.',
        Change.INACTIVE,
        range=(0, 1000),
    )
    handover_time: float = parameter(
        0.3,
        'Pause between the end of an episode, published on ~/running, and its reset, in which the '
        'policy or operator releases the robot [s].',
        Change.INACTIVE,
        range=(0.0, 60.0),
    )
    settle_time: float = parameter(
        0.5,
        'Pause between a reset and the next episode, in which the scene comes to rest [s].',
        Change.INACTIVE,
        range=(0.0, 600.0),
    )
    trigger_service: str = parameter(
        'reset_scene',
        'std_srvs/Trigger service to call for a trigger reset.',
        Change.INACTIVE,
    )
    trajectory_topic: str = parameter(
        'joint_trajectory_controller/joint_trajectory',
        "The controller's trajectory_msgs/JointTrajectory topic for a home motion.",
        Change.INACTIVE,
    )
    trajectory_action: str = parameter(
        'joint_trajectory_controller/follow_joint_trajectory',
        "The controller's control_msgs/FollowJointTrajectory action, used for a home motion "
        'instead of the topic where control_msgs is installed and the controller offers it; empty '
        'for the topic only.',
        Change.INACTIVE,
    )
    joint_states_topic: str = parameter(
        'joint_states',
        'sensor_msgs/JointState topic from which a home motion is checked.',
        Change.INACTIVE,
    )
    joints: tuple[str, ...] = parameter(
        NO_NAMES,
        'Names of the joints to move, as in the controller and in the joint states.',
        Change.INACTIVE,
    )
    home: tuple[float, ...] = parameter(
        NO_NUMBERS,
        'Target pose of a home motion: a position for each joint [rad or m].',
        Change.INACTIVE,
    )
    lower_limits: tuple[float, ...] = parameter(
        NO_NUMBERS,
        'Lower limit of each joint; a home pose outside the limits is refused [rad or m].',
        Change.INACTIVE,
    )
    upper_limits: tuple[float, ...] = parameter(
        NO_NUMBERS,
        'Upper limit of each joint [rad or m].',
        Change.INACTIVE,
    )
    speed: float = parameter(
        0.5,
        'Mean speed of the joint that moves farthest [rad/s or m/s].',
        Change.INACTIVE,
        range=(0.01, 3.0),
    )
    tolerance: float = parameter(
        0.05,
        'Largest distance of any joint from home at which the arm has arrived [rad or m].',
        Change.INACTIVE,
        range=(0.0001, 1.0),
    )
    joint_state_timeout: float = parameter(
        0.5,
        'Age at which joint states are stale; no motion starts or continues with stale ones [s].',
        Change.INACTIVE,
        range=(0.05, 60.0),
    )
    diagnostics_period: float = parameter_table.diagnostics_period()
    autostart: bool = parameter_table.autostart()

    def __post_init__(self) -> None:
        check(self)
        if not self.reward_node.strip('/'):
            raise ValueError('reward_node is empty; expected the name of the reward node')
        for step in self.reset_steps:
            if step not in RESET_STEPS:
                raise ValueError(
                    f'reset is {self.reset!r}; expected steps among {", ".join(RESET_STEPS)}, '
                    'separated by commas'
                )
        if 'home_motion' in self.reset_steps:
            self._check_motion()

    def _check_motion(self) -> None:
        count = len(self.joints)
        if not all(self.joints) or len(set(self.joints)) < count:
            raise ValueError(
                f'joints is {list(self.joints)}; expected the names of the joints, each once'
            )
        for name in ('home', 'lower_limits', 'upper_limits'):
            if len(getattr(self, name)) != count:
                raise ValueError(
                    f'{name} has {len(getattr(self, name))} values; expected one for each of the '
                    f'{count} joints'
                )
        rows = zip(self.joints, self.home, self.lower_limits, self.upper_limits, strict=True)
        for joint, home, low, high in rows:
            if not low <= home <= high:  # false for NaN, too
                raise ValueError(
                    f'home of {joint} is {home}; expected within its limits, {low} to {high}'
                )

    @property
    def reset_steps(self) -> tuple[str, ...]:
        """The steps of a reset, by name."""
        return tuple(step.strip() for step in self.reset.split(','))

    @property
    def task_list(self) -> tuple[str, ...]:
        """The tasks to publish; empty if the reward node keeps its own."""
        return tuple(task for task in self.tasks if task.strip())
