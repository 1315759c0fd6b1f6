# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Simulate an arm as a ROS 2 robot, or record episodes of it: `python -m examples.arm_sim`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from topreward_ros.errors import TopRewardError
from topreward_ros.nodes.common.usage import without_ros_arguments

from .installed import check_installed

ARMS = tuple(sorted(file.stem for file in (Path(__file__).parent / 'arms').glob('*.yaml')))


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(
        'python -m examples.arm_sim', description=__doc__, epilog='then --ros-args for the node'
    )
    parser.add_argument('--arm', choices=ARMS, default='so101', help='default: so101')
    commands = parser.add_subparsers(dest='command')
    record = commands.add_parser('record', help='write episodes as videos with their truth')
    record.add_argument('folder', type=Path)
    record.add_argument('--episodes', type=int, default=20)
    record.add_argument('--seed', type=int, default=0, help='of the first episode')
    record.add_argument('--size', type=int, default=128, help='height and width [px]')
    record.add_argument('--fps', type=float, default=4.0)
    options = parser.parse_args(list(without_ros_arguments(words)))
    try:
        check_installed()
        if options.command == 'record':
            from .record import record_episodes

            return record_episodes(
                options.arm,
                options.folder,
                episodes=options.episodes,
                seed=options.seed,
                size=options.size,
                fps=options.fps,
            )
        from .node import run_node

        return run_node(options.arm, words)
    except TopRewardError as error:
        print(f'arm_sim: {error}', file=sys.stderr)
        return error.exit_code


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
