# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the launch files share; needs launch and launch_ros, as they do."""

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

AS_PARAMS_FILE = 'empty: as params_file says'


def parameter_file(name: str) -> str:
    """The file of parameters that an argument names: a path, or a word for one of the package's.

    Raises RuntimeError where it is not there; launch itself would go on without.
    """
    folder = share_directory() / 'config'
    is_word = '/' not in name and not name.endswith(('.yaml', '.yml'))
    file = folder / f'{name}.yaml' if is_word else Path(name).expanduser()
    if not file.is_file():
        known = ', '.join(sorted(file.stem for file in folder.glob('*.yaml')))
        raise RuntimeError(f'params_file {file} is not there; expected a path, or one of {known}')
    return str(file)


def given(arguments: dict[str, str], types: dict[str, type]) -> dict[str, ParameterValue]:
    """The launch arguments that are not empty, as parameters of these types."""
    return {
        name: ParameterValue(LaunchConfiguration(name), value_type=value_type)
        for name, value_type in types.items()
        if arguments[name]
    }


def brought_up(node: LifecycleNode) -> list[Action]:
    """The node, configured and then activated."""
    activate_once_configured = OnStateTransition(
        target_lifecycle_node=node,
        start_state='configuring',  # not when it comes back from active
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
