# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What ROS says of wrong names, arguments and parameter files, in a line with what to do."""

from __future__ import annotations

import re
from collections.abc import Callable

from rclpy.exceptions import (
    InvalidParameterTypeException,
    InvalidParameterValueException,
    NameValidationException,
)

# Raised for invalid names, arguments and parameters of a node; RCLError, which is private in
# rclpy, is a RuntimeError.
ARGUMENT_ERRORS = (
    InvalidParameterTypeException,
    InvalidParameterValueException,
    NameValidationException,
    RuntimeError,
    ValueError,
)
NAME_RULE = 'letters, digits and _ between slashes, and no digit first'
UNRESOLVED = 'failed to resolve name: '  # an RCLError, which does not tell the name
# Where in its sources ROS found it, as in ", at /project/src/rcl/arguments.c:380"
PLACE = re.compile(r',?\s*(, search ended)? at (index \d+, at )?/\S+\.c:\d+')


def is_wrong_name(error: Exception) -> bool:
    """Whether a topic, service or node cannot have a name that it was given."""
    return isinstance(error, NameValidationException) or UNRESOLVED in str(error)


def reason(error: Exception) -> str:
    """Return in one line what was wrong, what was expected, and what to do."""
    text = ' '.join(PLACE.sub('', str(error)).split())
    for pattern, explain in EXPLANATIONS.items():
        if match := re.search(pattern, text):
            return explain(match)
    return text


def _remapping(match: re.Match[str]) -> str:
    name, _, value = match['rule'].partition(':=')
    if name == '__ns':
        return f'namespace {value!r} is not valid: expected such as /left_arm ({NAME_RULE})'
    if name in ('__node', '__name'):
        return f'node name {value!r} is not valid: expected letters, digits and _'
    return (
        f'remapping {match["rule"]!r} is not valid: expected FROM:=TO with names such as '
        f'/camera/image_raw ({NAME_RULE})'
    )


def _parameter_file(match: re.Match[str]) -> str:
    file, fault = match['file'], match['fault']
    if 'opening YAML file' in fault:
        return f'params file {file} cannot be read: check the path'
    if 'should be of same type' in fault:
        line = re.search(r'line_num (\d+)', fault)
        where = f' in line {line[1]}' if line else ''
        return (
            f'params file {file} has a list of several types{where}: write all of its numbers '
            'with a decimal point, such as 1.0'
        )
    if 'ros__parameters' in fault:
        return f'params file {file} has values that are not below a name and ros__parameters: ' + (
            'see those in config/'
        )
    return f'params file {file} cannot be read as parameters: {fault}; see those in config/'


EXPLANATIONS: dict[str, Callable[[re.Match[str]], str]] = {
    r"remap rule: '(?:-r|--remap) (?P<rule>.*?)'\.": _remapping,
    r"params file: '(?:--params-file )?(?P<file>.*?)'\. Error: (?P<fault>.*)": _parameter_file,
    r"parameter override rule: '(?:-p|--param) (?P<rule>.*?)'\.": lambda match: (
        f'parameter {match["rule"]!r} cannot be read: expected NAME:=VALUE, the value as in YAML'
    ),
    r"log level: '--log-level (?P<level>.*?)'": lambda match: (
        f'log level {match["level"]!r} is unknown: expected debug, info, warn, error or fatal'
    ),
    r'trailing (?P<flag>-\S+) flag': lambda match: f'{match["flag"]} needs a value behind it',
    r"^Invalid (?P<kind>[a-z ]+): .*: '(?P<name>.*?)' \^": lambda match: (
        f'{match["kind"]} {match["name"]!r} is not valid: expected {NAME_RULE}'
    ),
    f'{UNRESOLVED}(?P<fault>.*)': lambda match: (
        f'a name of a topic, service or node is not valid: {match["fault"]}'
    ),
    r"^\['(?P<flag>.*)'\]$": lambda match: (
        f'ROS does not know the argument {match["flag"]}: see --help'
    ),
}
