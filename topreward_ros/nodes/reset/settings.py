# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Every parameter of the episode reset node."""

from __future__ import annotations

from dataclasses import dataclass

from ..common import parameter_table
from ..common.parameter_table import Change, check, parameter

RESET_KINDS = ('trigger', 'home_motion')
TASK_ORDERS = ('in_order', 'shuffled')
NO_NAMES = ('',)  # ROS cannot tell the type of an empty list
NO_NUMBERS = (0.0,)


@dataclass(frozen=True)
class ResetSettings:
    """The values of the parameters; ValueError where they do not go together."""

    reward_node: str = parameter(
        'topreward',
        'Name of the reward node, whose topics and services are below it.',
        Change.INACTIVE,
    )
    episode_time: float = parameter(
        60.0,
        'An episode that lasts this long has failed; 0 for no limit [s].',
        Change.INACTIVE,
        range=(0.0, 86_400.0),
    )
    stall_time: float = parameter(
        0.0,
        'An episode has failed too when progress has stood still this long; 0 for never [s].',
        Change.INACTIVE,
        range=(0.0, 86_400.0),
    )
    stall_change: float = parameter(
        0.05,
        'Progress stands still while it moves by no more than this, up or down.',
        Change.INACTIVE,
        range=(0.0, 1.0),
    )
    tasks: tuple[str, ...] = parameter(
        NO_NAMES,
        "Tasks of the episodes, published on the reward node's ~/task; [''] leaves its task alone.",
        Change.INACTIVE,
    )
    task_order: str = parameter(
        'in_order',
        'Whether the tasks come in the order of the list or shuffled, each once a round.',
        Change.INACTIVE,
        choices=TASK_ORDERS,
    )
    task_seed: int = parameter(
        0,
        'Seed of the shuffling.',
        Change.INACTIVE,
        range=(0, 2**31 - 1),
    )
    log_file: str = parameter(
        '~/.ros/topreward_episodes.csv',
        'CSV with a row for every episode, appended to; empty for none.',
        Change.INACTIVE,
    )
    reset: str = parameter(
        'trigger',
        'trigger calls a service of the scene or robot, home_motion sends the arm to a pose.',
        Change.INACTIVE,
        choices=RESET_KINDS,
    )
    reset_time_limit: float = parameter(
        30.0,
        'A reset that is not done by then has failed; for a motion, on top of its own time [s].',
        Change.INACTIVE,
        range=(0.1, 3600.0),
    )
    handover_time: float = parameter(
        0.3,
        'Between the end of an episode, told on ~/running, and its reset, for whoever moves the '
        'robot to let go of it [s].',
        Change.INACTIVE,
        range=(0.0, 60.0),
    )
    settle_time: float = parameter(
        0.5,
        'Between a reset and the next episode, for the scene to come to rest [s].',
        Change.INACTIVE,
        range=(0.0, 600.0),
    )
    trigger_service: str = parameter(
        'reset_scene',
        'The std_srvs/Trigger service of a trigger reset.',
        Change.INACTIVE,
    )
    trajectory_topic: str = parameter(
        'joint_trajectory_controller/joint_trajectory',
        "The controller's trajectory_msgs/JointTrajectory topic, for a home motion.",
        Change.INACTIVE,
    )
    joint_states_topic: str = parameter(
        'joint_states',
        'The sensor_msgs/JointState topic that arrival is judged from.',
        Change.INACTIVE,
    )
    joints: tuple[str, ...] = parameter(
        NO_NAMES,
        'Names of the joints of a home motion, as the controller and the joint states call them.',
        Change.INACTIVE,
    )
    home: tuple[float, ...] = parameter(
        NO_NUMBERS,
        'The pose to go to, a position for each joint [rad or m].',
        Change.INACTIVE,
    )
    lower_limits: tuple[float, ...] = parameter(
        NO_NUMBERS,
        'The least position of each joint; a home pose beyond is refused [rad or m].',
        Change.INACTIVE,
    )
    upper_limits: tuple[float, ...] = parameter(
        NO_NUMBERS,
        'The greatest position of each joint [rad or m].',
        Change.INACTIVE,
    )
    speed: float = parameter(
        0.5,
        'Mean speed of the joint with the longest way [rad/s or m/s].',
        Change.INACTIVE,
        range=(0.01, 3.0),
    )
    tolerance: float = parameter(
        0.05,
        'The arm has arrived when every joint is this near to its place [rad or m].',
        Change.INACTIVE,
        range=(0.0001, 1.0),
    )
    joint_state_timeout: float = parameter(
        0.5,
        'Joint states older than this are missing; no motion begins, or goes on, without [s].',
        Change.INACTIVE,
        range=(0.05, 60.0),
    )
    diagnostics_period: float = parameter_table.diagnostics_period()
    autostart: bool = parameter_table.autostart()

    def __post_init__(self) -> None:
        check(self)
        if not self.reward_node.strip('/'):
            raise ValueError('reward_node is empty; expected the name of the reward node')
        if self.reset == 'home_motion':
            self._check_motion()

    def _check_motion(self) -> None:
        count = len(self.joints)
        if not all(self.joints) or len(set(self.joints)) < count:
            raise ValueError(
                f'joints is {list(self.joints)}; a home motion needs their names, each once'
            )
        for name in ('home', 'lower_limits', 'upper_limits'):
            if len(getattr(self, name)) != count:
                raise ValueError(
                    f'{name} has {len(getattr(self, name))} values; expected one for each of the '
                    f'{count} joints'
                )
        rows = zip(self.joints, self.home, self.lower_limits, self.upper_limits, strict=True)
        for joint, home, low, high in rows:
            if not low <= home <= high:  # NaN is not within either
                raise ValueError(
                    f'home of {joint} is {home}; expected within its limits, {low} to {high}'
                )

    @property
    def task_list(self) -> tuple[str, ...]:
        """The tasks; none where the reward node's own is left alone."""
        return tuple(task for task in self.tasks if task.strip())
