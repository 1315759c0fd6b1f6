# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The executables, as setup.cfg names them: each is imported once signals are answered.

The functions are where a process begins and ends. What runs in between is the `main` of a module,
which can also be called from Python.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from topreward_ros import interrupts


def topreward() -> NoReturn:
    interrupts.at_once(interrupts.EXIT_INTERRUPTED, interrupts.MESSAGE)
    interrupts.leave(import_module('topreward_ros.commands.main').main())


def reward_node() -> NoReturn:
    _run_node('topreward_ros.nodes.reward.node')


def episode_reset_node() -> NoReturn:
    _run_node('topreward_ros.nodes.reset.node')


def video_publisher() -> NoReturn:
    _run_node('topreward_ros.nodes.cameras.video_publisher')


def scene_camera() -> NoReturn:
    _run_node('topreward_ros.nodes.cameras.scene_camera')


def _run_node(module: str) -> NoReturn:
    interrupts.at_once(0)  # a node that is asked to end while it starts has not failed
    try:
        main = import_module(module).main
    except ModuleNotFoundError as error:
        from topreward_ros.commands.main import NO_ROS, is_of_ros

        if not is_of_ros(error):
            raise
        print(f'{Path(sys.argv[0]).stem}: {NO_ROS.format(error)}', file=sys.stderr)
        sys.exit(1)
    interrupts.leave(main())
