# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Code shared by the launch files; imports launch and launch_ros."""

from __future__ import annotations

from pathlib import Path

from launch.action import Action
from launch.actions import EmitEvent, RegisterEventHandler
from launch.events import matches_action
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode
from launch_ros.event_handlers import OnStateTransition
from launch_ros.events.lifecycle import ChangeState
from launch_ros.parameter_descriptions import ParameterValue
from lifecycle_msgs.msg import Transition

from topreward_ros.share import share_directory

UNLESS_EMPTY = 'if empty, the value in params_file is used'


def parameter_file(name: str) -> str:
    """Return the parameter file for an argument: a path, or the name of a file in config/.

    Raises RuntimeError if the file does not exist; launch itself would start the node without it.
    """
    folder = share_directory() / 'config'
    is_packaged = '/' not in name and not name.endswith(('.yaml', '.yml'))
    file = folder / f'{name}.yaml' if is_packaged else Path(name).expanduser()
    if not file.is_file():
        known = ', '.join(sorted(file.stem for file in folder.glob('*.yaml')))
        raise RuntimeError(f'params_file {file} does not exist; expected a path, or one of {known}')
    return str(file)


def parameter_overrides(
    arguments: dict[str, str], types: dict[str, type]
) -> dict[str, ParameterValue]:
    """Return the launch arguments that are not empty, as parameters of the given types."""
    return {
        name: ParameterValue(LaunchConfiguration(name), value_type=value_type)
        for name, value_type in types.items()
        if arguments[name]
    }


def bring_up(node: LifecycleNode) -> list[Action]:
    """Return the actions that start the node, configure it and then activate it."""
    activate_once_configured = OnStateTransition(
        target_lifecycle_node=node,
        start_state='configuring',  # and not after a deactivation
        goal_state='inactive',
        entities=[_change_state(node, Transition.TRANSITION_ACTIVATE)],
    )
    return [
        RegisterEventHandler(activate_once_configured),
        node,
        _change_state(node, Transition.TRANSITION_CONFIGURE),
    ]


def _change_state(node: LifecycleNode, transition: int) -> EmitEvent:
    return EmitEvent(
        event=ChangeState(lifecycle_node_matcher=matches_action(node), transition_id=transition)
    )
