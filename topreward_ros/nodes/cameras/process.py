# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A process that runs a camera node."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter

from topreward_ros.recordings.clip import ClipError

from ..common.middleware import apply_image_profile
from ..common.rclpy_versions import ARGUMENT_ERRORS, init_rclpy, lost_interrupts

N = TypeVar('N', bound=Node)


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
    node = None
    try:
        init_rclpy(args)
        with lost_interrupts():
            executor = SingleThreadedExecutor()
            node = make_node(parameter_overrides=overrides, **options)
            executor.add_node(node)
            publish(node, executor)
    except (KeyboardInterrupt, ExternalShutdownException):
        return 0
    except (ClipError, *ARGUMENT_ERRORS) as error:
        print(f'{make_node.__module__.split(".")[-1]}: {error}', file=sys.stderr)
        return 1
    finally:
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
    return 0
