# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`topreward demo`: its arguments."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..arguments import add_model, seed


def add_parser(commands: Any) -> None:
    """Add the command to the parser's."""
    parser = commands.add_parser(
        'demo', help='run the nodes on a small simulated world; needs no camera and no other model'
    )
    parser.add_argument(
        '--seed', type=seed, default=0, help='seed of the episodes, 0 to 999; default: %(default)s'
    )
    parser.add_argument(
        '--headless', action='store_true', help='print a line per episode, without bars'
    )
    parser.add_argument(
        '--save',
        type=Path,
        help='empty or new folder for bag, CSV, video and plot; default: only the plot is written, '
        'into the current folder',
    )
    add_model(parser, "the demo's own")
    parser.add_argument(
        '--tasks', action='store_true', help='list the tasks that the demo model knows, and exit'
    )
    parser.set_defaults(command=demo)


def demo(options: argparse.Namespace) -> int:
    """Show episodes of the small world through the real nodes."""
    if options.tasks:
        from topreward_ros.demo.tasks import known_tasks

        print('\n'.join(task.say() for task in known_tasks()))
        return 0
    from .run import DemoOptions
    from .run import demo as show

    reward_model = options.reward_model or DemoOptions.reward_model
    show(
        DemoOptions(options.seed, options.save, options.model or '', options.headless, reward_model)
    )
    return 0
