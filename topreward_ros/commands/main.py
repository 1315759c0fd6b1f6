# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The `topreward` command.

Everything but the standard library is imported while a command runs, so that interrupts are
handled the same way at any time and `--help` is fast.
"""

from __future__ import annotations

import argparse
import importlib
import io
import os
import signal
import sys
import traceback

from topreward_ros import interrupts

# Packages with add_parser in their module command, in the order of the help
COMMANDS = ('demo', 'run', 'publish', 'scene', 'play', 'score', 'calibrate', 'evaluate', 'label')
NO_ROS = (
    "ROS 2 is not available ({}): source an installation, or pip install 'topreward_ros[kilted]'"
)
INTERFACES = (['topreward_ros', 'action'], ['topreward_ros', 'msg'])  # built with ROS
# The packages of ROS that are imported
ROS_MODULES = (
    'action_msgs',
    'builtin_interfaces',
    'control_msgs',
    'diagnostic_msgs',
    'lifecycle_msgs',
    'rcl_interfaces',
    'rclpy',
    'rosgraph_msgs',
    'sensor_msgs',
    'std_msgs',
    'std_srvs',
    'trajectory_msgs',
    'unique_identifier_msgs',
)
BUG = (
    'topreward: this is a bug in topreward, not a problem of its input; please report it with the '
    'lines above'
)
EXIT_BUG = 70  # sysexits' EX_SOFTWARE
EXIT_CLOSED_PIPE = 141


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return 0, or the error's exit code with the reason on the error stream."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a name or task that the terminal cannot show
        sys.stdout.reconfigure(errors='backslashreplace')
    try:
        try:
            with interrupts.handled():
                return _run(arguments)
        except KeyboardInterrupt:
            print(interrupts.MESSAGE, file=sys.stderr)
            return interrupts.EXIT_INTERRUPTED
        finally:  # argparse prints and exits
            sys.stdout.flush()
            sys.stderr.flush()
    except (BrokenPipeError, SystemExit) as error:
        if not interrupts.comes_from(error, BrokenPipeError):  # rich makes a SystemExit of it
            raise
        _discard_output()
        return EXIT_CLOSED_PIPE


def _discard_output() -> None:
    """Discard what is still to be written, at exit too, to streams whose reader is gone."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _run(arguments: list[str] | None) -> int:
    from topreward_ros.errors import TopRewardError

    try:
        arguments = sys.argv[1:] if arguments is None else arguments
        options = make_parser().parse_args([_as_path(text) for text in arguments])
        code = int(options.command(options))
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


def _as_path(text: str) -> str:
    """Return what is there under a name with a dash or a tilde as a path: -a.mp4 as ./-a.mp4."""
    is_option = text.startswith('--') and '.' not in text
    is_named = text[:1] == '-' and text != '-h' and not is_option and os.path.lexists(text)
    is_nobody = text[:1] == '~' and os.path.expanduser(text) == text  # no user of this name
    return os.path.join('.', text) if is_named or is_nobody else text


def is_of_ros(error: ModuleNotFoundError) -> bool:
    """Whether the module that was not found belongs to ROS, or was to be built with it."""
    missing = (error.name or '').split('.')
    return missing[0] in ROS_MODULES or missing[:2] in INTERFACES


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
