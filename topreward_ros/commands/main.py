# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The `topreward` command.

Everything but the standard library is imported while a command runs, so that interrupts are
handled the same way at any time and `--help` is fast.
"""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
import traceback

from topreward_ros import interrupts

# Packages with add_parser in their module command, in the order of the help
COMMANDS = ('demo', 'run', 'publish', 'scene', 'play', 'score', 'calibrate', 'evaluate')
NO_ROS = (
    "ROS 2 is not available ({}): source an installation, or pip install 'topreward_ros[kilted]'"
)
MESSAGES = ['topreward_ros', 'msg']  # built with ROS
# The packages of ROS that are imported
ROS_MODULES = (
    'builtin_interfaces',
    'diagnostic_msgs',
    'lifecycle_msgs',
    'rcl_interfaces',
    'rclpy',
    'rosgraph_msgs',
    'sensor_msgs',
    'std_msgs',
    'std_srvs',
    'trajectory_msgs',
)
BUG = (
    'topreward: this is a bug in topreward, not a problem of its input; please report it with the '
    'lines above'
)
EXIT_BUG = 70  # sysexits' EX_SOFTWARE
EXIT_CLOSED_PIPE = 141


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return 0, or the error's exit code with the reason on the error stream."""
    try:
        with interrupts.handled():
            return _run(arguments)
    except KeyboardInterrupt:
        print(interrupts.MESSAGE, file=sys.stderr)
        return interrupts.EXIT_INTERRUPTED
    except (BrokenPipeError, SystemExit) as error:
        if not interrupts.comes_from(error, BrokenPipeError):  # rich makes a SystemExit of it
            raise
        # The reader of the output is gone: discard all output, also at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_CLOSED_PIPE


def _run(arguments: list[str] | None) -> int:
    from topreward_ros.errors import TopRewardError

    try:
        options = make_parser().parse_args(arguments)
        code = int(options.command(options))
        sys.stdout.flush()
    except TopRewardError as error:
        print(f'topreward: {error}', file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        raise
    except OSError as error:  # such as a full disk, or a folder without write permission
        print(f'topreward: {error}', file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        if not is_of_ros(error):
            return _report_bug()
        print(f'topreward: {NO_ROS.format(error)}', file=sys.stderr)
        return 1
    except Exception as error:
        if interrupts.is_behind(error):
            raise KeyboardInterrupt from error
        return _report_bug()
    if code == 0 and interrupts.was_received(signal.SIGINT):  # a node ends quietly
        raise KeyboardInterrupt
    return code


def is_of_ros(error: ModuleNotFoundError) -> bool:
    """Whether the module that was not found belongs to ROS, or was to be built with it."""
    missing = (error.name or '').split('.')
    return missing[0] in ROS_MODULES or missing[:2] == MESSAGES


def _report_bug() -> int:
    traceback.print_exc()
    print(BUG, file=sys.stderr)
    return EXIT_BUG


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    from topreward_ros import __version__

    parser = argparse.ArgumentParser(
        prog='topreward',
        description='Progress and success rewards for robots, from a vision-language model.',
    )
    parser.add_argument('--version', action='version', version=__version__)
    commands = parser.add_subparsers(required=True, metavar='COMMAND')
    for name in COMMANDS:
        importlib.import_module(f'topreward_ros.commands.{name}.command').add_parser(commands)
    return parser


if __name__ == '__main__':
    interrupts.leave(main())
