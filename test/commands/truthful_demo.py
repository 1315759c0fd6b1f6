# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`topreward demo` with an arm whose camera shows the true progress, as brightness.

The model `toy` of test/toy_scorer.py reads it: a model that is always right. LIES (JSON) has the
numbers of the episodes, from 0, in which the picture stays dark. As a process with arguments of ROS
it is the reward node, with this model.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any
from unittest.mock import patch

import numpy as np

from test.toy_scorer import ToyScorer
from topreward_ros.scoring.families import FAMILIES

REWARD_NODE = 'topreward_ros.nodes.reward.node'
LIES: list[int] = json.loads(os.environ.get('LIES', '[]'))
Popen = subprocess.Popen


def start(command: list[str], **options: Any) -> subprocess.Popen[bytes]:
    """Start a node; the reward node as this module."""
    return Popen(
        ['test.commands.truthful_demo' if c == REWARD_NODE else c for c in command], **options
    )


def show_truth() -> None:
    from topreward_ros.commands.demo.arms.simulator import load_simulator

    load_simulator()
    from examples.arm_sim.node import ArmNode
    from examples.arm_sim.rendering import Cameras

    set_up, number = ArmNode._set_up, -1

    def count(node: ArmNode, episode: Any) -> None:
        nonlocal number
        number += 1
        set_up(node, episode)

    def take(cameras: Cameras, _name: str) -> np.ndarray:
        progress = 0.0 if number in LIES else world[0].truth().progress
        return np.full(
            (cameras._renderer.height, cameras._renderer.width, 3), 255 * progress, np.uint8
        )

    world: list[Any] = []
    open_cameras = Cameras.__init__

    def begin(cameras: Cameras, of: Any, height: int, width: int) -> None:
        world[:] = [of]
        open_cameras(cameras, of, height, width)

    Cameras.__init__, Cameras.take, ArmNode._set_up = begin, take, count  # type: ignore[method-assign]


def main() -> int:
    if '--ros-args' in sys.argv:
        from topreward_ros.nodes.reward.node import main as reward_node

        FAMILIES['toy'] = ToyScorer
        return reward_node()
    from topreward_ros.commands.main import main as topreward

    show_truth()
    with patch('topreward_ros.nodes.sessions.processes.subprocess.Popen', start):
        return topreward()


if __name__ == '__main__':
    sys.exit(main())
