# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Parameter files that have nothing for a node: ROS reads them and says nothing."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml
from rclpy.node import Node

PARAMETERS = 'ros__parameters'
# The wildcards of node names in parameter files: any namespaces, and one part of a name
WILDCARDS = {'/**': r'(/\w+)*', '/*': r'/\w+'}


def warn_of_unused_files(node: Node, args: list[str] | None) -> None:
    """Log a warning for each file of the arguments without parameters for this node."""
    full_name = node.get_fully_qualified_name()
    for flag, file in pairwise(sys.argv if args is None else args):
        if flag == '--params-file' and not any(fits(name, full_name) for name in names(file)):
            those = ', '.join(names(file)) or 'no node'
            node.get_logger().warning(
                f'params file {file} has no parameters for {full_name}: they are for {those}'
            )


def names(file: str) -> list[str]:
    """Return the names of nodes in a parameter file, with wildcards as they are there."""
    try:
        content = yaml.safe_load(Path(file).read_text(encoding='utf-8'))
    except (OSError, ValueError, yaml.YAMLError):  # what ROS itself has read
        return ['/**']
    return list(_names(content, ''))


def fits(name: str, full_name: str) -> bool:
    """Whether a name in a parameter file, perhaps with wildcards, is one of this node."""
    parts = re.split(r'(/\*\*|/\*)', name)
    pattern = ''.join(WILDCARDS.get(part, re.escape(part)) for part in parts)
    return re.fullmatch(pattern, full_name) is not None


def _names(content: Any, name: str) -> Iterator[str]:
    if isinstance(content, dict):
        for key, value in content.items():
            if key == PARAMETERS:
                yield name
            else:
                yield from _names(value, f'{name}/{str(key).strip("/")}')
