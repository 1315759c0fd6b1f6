# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The process of a node that is a camera."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node

from ..offline.clip import ClipError
from .middleware import apply_image_profile
from .rclpy_versions import SENSELESS

N = TypeVar('N', bound=Node)


def run_camera(
    make_node: Callable[..., N],
    show: Callable[[N, SingleThreadedExecutor], None],
    args: list[str] | None,
    **options: Any,
) -> int:
    """Show until that is over or interrupted; 1 for a clip or a parameter that is wrong."""
    apply_image_profile()
    node = None
    try:
        rclpy.init(args=args)
        executor = SingleThreadedExecutor()
        node = make_node(**options)
        executor.add_node(node)
        show(node, executor)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except (ClipError, *SENSELESS) as error:
        print(f'{make_node.__module__.split(".")[-1]}: {error}', file=sys.stderr)
        return 1
    finally:
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
    return 0
