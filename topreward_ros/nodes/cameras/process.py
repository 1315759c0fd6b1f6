# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The process of a node that is a camera."""

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
from ..common.rclpy_versions import BAD_ARGUMENTS

N = TypeVar('N', bound=Node)


def run_camera(
    make_node: Callable[..., N],
    show: Callable[[N, SingleThreadedExecutor], None],
    args: list[str] | None,
    parameters: Mapping[str, Any] | None = None,
    *,
    interrupted: int = 0,
    **options: Any,
) -> int:
    """Show until that is over, or interrupted: then return `interrupted`.

    1 for a clip or a parameter that is wrong. options are a Node's, parameters its overrides.
    """
    apply_image_profile()
    overrides = [Parameter(name, value=value) for name, value in (parameters or {}).items()]
    node = None
    try:
        rclpy.init(args=args)
        executor = SingleThreadedExecutor()
        node = make_node(parameter_overrides=overrides, **options)
        executor.add_node(node)
        show(node, executor)
    except (KeyboardInterrupt, ExternalShutdownException):
        return interrupted
    except (ClipError, *BAD_ARGUMENTS) as error:
        print(f'{make_node.__module__.split(".")[-1]}: {error}', file=sys.stderr)
        return 1
    finally:
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
    return 0
