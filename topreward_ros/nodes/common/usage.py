# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`--help` of a node's executable, from the table of its parameters; starts no middleware."""

from __future__ import annotations

import argparse
import dataclasses
import sys
import textwrap
from collections.abc import Iterable
from pathlib import Path

import yaml

from .parameter_table import sentences

ROS_ARGUMENTS = '[--ros-args [-p NAME:=VALUE] [--params-file FILE] [-r FROM:=TO] ...]'


def read_arguments(args: list[str] | None, description: str, settings: type) -> None:
    """Answer --help; the only arguments are ROS's own. Raises SystemExit, as argparse does."""
    program, *words = sys.argv if args is None else [sys.argv[0], *args]
    parser = argparse.ArgumentParser(
        Path(program).stem,
        usage=f'%(prog)s [-h] {ROS_ARGUMENTS}',
        description=description,
        epilog='parameters:\n' + '\n'.join(_lines(settings)),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.parse_args(list(without_ros_arguments(words)))


def without_ros_arguments(words: Iterable[str]) -> Iterable[str]:
    """Yield the words that are not between --ros-args and --."""
    is_of_ros = False
    for word in words:
        if word == ('--' if is_of_ros else '--ros-args'):
            is_of_ros = not is_of_ros
        elif not is_of_ros:
            yield word


def _lines(settings: type) -> Iterable[str]:
    texts = sentences(settings)
    for field in dataclasses.fields(settings):
        default = list(field.default) if isinstance(field.default, tuple) else field.default
        value = yaml.safe_dump(default, default_flow_style=True).removesuffix('...\n').strip()
        yield f'  {field.name}: {value}'
        yield textwrap.fill(
            texts[field.name], 78, initial_indent=' ' * 6, subsequent_indent=' ' * 6
        )
