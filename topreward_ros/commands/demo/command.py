# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`topreward demo`: its arguments."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..arguments import seed


def add_parser(commands: Any) -> None:
    """Add the command to the parser's."""
    parser = commands.add_parser(
        'demo', help='see it work: a small world, a small model, no camera'
    )
    parser.add_argument('--seed', type=seed, default=0, help='of the episodes, 0 to 999')
    parser.add_argument('--headless', action='store_true', help='a line per episode, no bars')
    parser.add_argument('--save', type=Path, help='folder for bag, CSV, video and picture')
    parser.add_argument('--model', help='another checkpoint than the small one of the package')
    parser.add_argument('--tasks', action='store_true', help='list the tasks that the model knows')
    parser.set_defaults(command=demo)


def demo(options: argparse.Namespace) -> int:
    """Show episodes of the small world through the real nodes."""
    if options.tasks:
        from topreward_ros.demo.tasks import known_tasks

        print('\n'.join(task.say() for task in known_tasks()))
        return 0
    from .run import DemoOptions
    from .run import demo as show

    show(DemoOptions(options.seed, options.save, options.model or '', options.headless))
    return 0
