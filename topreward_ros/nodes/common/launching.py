# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Code shared by the launch files; imports launch and launch_ros."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import launch.logging
import yaml
from launch.action import Action
from launch.actions import (
    DeclareLaunchArgument,
    GroupAction,
    IncludeLaunchDescription,
    OpaqueFunction,
    Shutdown,
)
from launch.events import IncludeLaunchDescription as Included
from launch.events.process import ProcessExited
from launch.launch_context import LaunchContext
from launch.launch_description import LaunchDescription
from launch.substitutions import LaunchConfiguration
from launch_ros.parameter_descriptions import ParameterValue

from topreward_ros.share import share_directory

from .parameter_table import descriptions

UNLESS_EMPTY = 'if empty, the value in params_file is used'
RESPAWN_DELAY = 5.0  # before a node is started again [s]
TAKEN_FILES = 'topreward_ros_parameter_files'  # among the globals of a launch context
OF_EVERY_NODE = {'autostart', 'diagnostics_period'}
# Read by launch itself, whatever the launch file
OF_LAUNCH = (
    'emulate_tty', 'launch-prefix', 'launch-prefix-filter', 'sigkill_timeout', 'sigterm_timeout',
)  # fmt: skip


def description_of(
    arguments: Iterable[DeclareLaunchArgument],
    start: Callable[[LaunchContext], list[Action]],
    file: str,
) -> LaunchDescription:
    """Return the description of a launch file whose arguments do not reach others that include it.

    Unknown arguments are an error where the file is launched alone; included, they are those of
    the files that include it.
    """
    declared = list(arguments)

    def checked_start(context: LaunchContext) -> list[Action]:
        if include := only_include(context, file):
            check_names([name for name, _ in include.launch_arguments], declared, file)
        return start(context)

    return LaunchDescription([GroupAction([*declared, OpaqueFunction(function=checked_start)])])


def argument_on_exit() -> DeclareLaunchArgument:
    """Return the argument for what happens when the node ends; see `ending`."""
    return DeclareLaunchArgument(
        'on_exit',
        default_value='',
        choices=['', 'shutdown', 'respawn', 'nothing'],
        description='when the node ends: shutdown ends the whole launch, respawn starts the node '
        'again, nothing leaves the rest alone; if empty, shutdown where this file is launched '
        'alone, else nothing',
    )


def ending(context: LaunchContext, file: str) -> dict[str, Any]:
    """Return what the argument on_exit means for a node of this launch file, as its options."""
    choice = context.launch_configurations['on_exit']
    if not choice:
        choice = 'shutdown' if only_include(context, file) else 'nothing'
    if choice == 'respawn':
        return {'respawn': True, 'respawn_delay': RESPAWN_DELAY, 'on_exit': _log_failure}
    return {'on_exit': end_launch if choice == 'shutdown' else _log_failure}


def end_launch(event: ProcessExited, context: LaunchContext) -> Shutdown | None:
    """End the launch after a process; RuntimeError, which launch ends with 1 for, if it failed."""
    if context.is_shutdown:
        return None
    if event.returncode:
        raise RuntimeError(_failure(event))
    return Shutdown(reason=f'{event.process_name} has ended')


def _log_failure(event: ProcessExited, context: LaunchContext) -> None:
    if event.returncode and not context.is_shutdown:
        launch.logging.get_logger('topreward_ros').error(_failure(event))


def _failure(event: ProcessExited) -> str:
    return (
        f'{event.process_name} ended with exit code {event.returncode}: the reason is in its last '
        'lines above; correct it and launch again, or set on_exit:=respawn to go on trying'
    )


def only_include(context: LaunchContext, file: str) -> IncludeLaunchDescription | None:
    """Return the include of this launch file if it is all that is launched, as by `ros2 launch`."""
    event = getattr(context.locals, 'event', None)
    if not isinstance(event, Included):
        return None
    entities = event.launch_description.entities
    includes = [each for each in entities if isinstance(each, IncludeLaunchDescription)]
    here = Path(file).resolve()
    if len(includes) != 1 or Path(includes[0].launch_description_source.location).resolve() != here:
        return None
    return includes[0]


def check_names(names: Iterable[Any], declared: list[DeclareLaunchArgument], file: str) -> None:
    """Raise RuntimeError for an argument that the launch file has not."""
    known = [argument.name for argument in declared]
    for name in names:
        if isinstance(name, str) and name not in (*known, *OF_LAUNCH):
            near = get_close_matches(name, known, 1)
            question = f'did you mean {near[0]}?' if near else 'expected'
            raise RuntimeError(
                f'{Path(file).name} has no argument {name}; {question} (of {", ".join(known)})'
            )


def own_parameter_file(context: LaunchContext, default: str, settings: type) -> str:
    """Return the parameter file of the argument params_file, for a node with these settings.

    An include leaves its arguments behind for those that follow it. So a file that another of
    these launch files has taken, and that has no parameter of this node, is not meant for it.
    """
    file = parameter_file(context.launch_configurations['params_file'])
    taken: frozenset[str] = getattr(context.locals, TAKEN_FILES, frozenset())
    if file in taken and not parameters_in(file) & descriptions(settings).keys() - OF_EVERY_NODE:
        return parameter_file(default)
    context.extend_globals({TAKEN_FILES: taken | {file}})
    return file


def parameters_in(file: str) -> set[str]:
    """Return the names of the parameters in a file, of whatever nodes; none if it is damaged."""
    try:
        content = yaml.safe_load(Path(file).read_text(encoding='utf-8'))
    except (OSError, ValueError, yaml.YAMLError):  # the node says what is wrong with it
        return set()
    return set(_parameters_in(content))


def _parameters_in(content: Any) -> Iterator[str]:
    for key, value in content.items() if isinstance(content, dict) else ():
        yield from map(str, value or ()) if key == 'ros__parameters' else _parameters_in(value)


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
    """Return the launch arguments that are not empty, as parameters of the given types.

    Raises RuntimeError for a value of another type.
    """
    given = {name: kind for name, kind in types.items() if arguments[name]}
    for name, kind in given.items():
        value = yaml.safe_load(arguments[name]) if kind is bool else arguments[name]
        if kind is bool and not isinstance(value, bool):
            raise RuntimeError(f'{name} is {value!r}; expected true or false')
        if kind is float:
            try:
                float(value)
            except ValueError as error:
                raise RuntimeError(f'{name} is {value!r}; expected a number') from error
    return {
        name: ParameterValue(LaunchConfiguration(name), value_type=kind)
        for name, kind in given.items()
    }
