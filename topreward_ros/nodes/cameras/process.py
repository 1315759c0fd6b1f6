# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A process that runs a camera node."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.signals import SignalHandlerOptions

from topreward_ros import interrupts
from topreward_ros.recordings.clip import ClipError

from ..common.argument_errors import ARGUMENT_ERRORS
from ..common.middleware import apply_image_profile
from ..common.parameter_files import warn_of_unused_files
from ..common.process import closing, report
from ..common.rclpy_versions import init_rclpy, silent_rcl

N = TypeVar('N', bound=Node)


def programmed(
    namespace: str, remappings: Mapping[str, str], parameters: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the options of a node with a programme, for a process that spins it."""
    rules = [part for old, new in remappings.items() for part in ('-r', f'{old}:={new}')]
    return {
        'namespace': namespace,
        'cli_args': ['--ros-args', '--log-level', 'warn', *rules],
        'parameter_overrides': [Parameter(name, value=value) for name, value in parameters.items()],
    }


def run_camera(
    make_node: Callable[..., N],
    publish: Callable[[N, SingleThreadedExecutor], None],
    args: list[str] | None,
    parameters: Mapping[str, Any] | None = None,
    **options: Any,
) -> int:
    """Make a node and publish, until the end or an interrupt; return 1 for an invalid clip.

    Return 1 for an invalid parameter, too. parameters are overrides; options are passed to the
    node.
    """
    apply_image_profile()
    overrides = [Parameter(name, value=value) for name, value in (parameters or {}).items()]
    with interrupts.noted(), closing() as closes:
        try:
            with silent_rcl():
                init_rclpy(args, signal_handler_options=SignalHandlerOptions.NO)
                node = make_node(parameter_overrides=overrides, **options)
            closes.append(node.destroy_node)
            warn_of_unused_files(node, args)
            executor = SingleThreadedExecutor()
            executor.add_node(node)
            publish(node, executor)
        except (KeyboardInterrupt, ExternalShutdownException):
            return 0
        except (ClipError, *ARGUMENT_ERRORS) as error:
            report(error)
            return 1
    return 0
