# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`topreward demo`: its arguments."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from topreward_ros.errors import ArgumentsError

from ..arguments import add_model, seed

WORLDS = ('table', 'so101', 'panda')
EPISODES = 20  # of an arm
MOST_EPISODES = 100


def add_parser(commands: Any) -> None:
    """Add the command to the parser's."""
    parser = commands.add_parser(
        'demo', help='run the nodes on a small simulated world; needs no camera and no other model'
    )
    parser.add_argument(
        '--world',
        choices=WORLDS,
        default=WORLDS[0],
        help='a drawn table, or an arm in physics: so101 or panda, in a checkout with MuJoCo; '
        'default: %(default)s',
    )
    parser.add_argument(
        '--episodes',
        type=episodes,
        help=f'episodes of an arm, 1 to {MOST_EPISODES}; default: {EPISODES}',
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


def episodes(text: str) -> int:
    if not (text.isdigit() and 1 <= int(text) <= MOST_EPISODES):
        raise argparse.ArgumentTypeError(f'{text!r} is not a whole number from 1 to 100')
    return int(text)


def demo(options: argparse.Namespace) -> int:
    """Show episodes of a small world through the real nodes."""
    if options.world != WORLDS[0]:
        return _demo_arm(options)
    if options.episodes is not None:
        raise ArgumentsError(
            '--episodes is for the arms; the table shows three successes and three failures'
        )
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


def _demo_arm(options: argparse.Namespace) -> int:
    if options.tasks:
        raise ArgumentsError(
            f'--tasks lists those of the world {WORLDS[0]}; those of an arm follow from what is '
            'before it'
        )
    if not options.model and options.reward_model not in (None, 'auto', 'robometer'):
        raise ArgumentsError(
            f"the demo's model of the arms is a robometer: choose one for {options.reward_model} "
            'with --model'
        )
    from .arms.run import ArmDemoOptions, demo_arm

    demo_arm(
        ArmDemoOptions(
            options.world,
            options.episodes or EPISODES,
            options.seed,
            options.save,
            options.model or '',
            options.headless,
            options.reward_model or '',
        )
    )
    return 0
