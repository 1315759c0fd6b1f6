# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Descriptions of a node's parameters: one table that declares, checks and documents them."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

# How a message calls one value and several
KINDS = {
    bool: ('true or false', 'true or false'),
    int: ('a whole number', 'whole numbers'),
    float: ('a number', 'numbers'),
    str: ("a text, in quotes if it looks like a number: '7'", 'texts'),
}


class Change(enum.Enum):
    """When a parameter can be set."""

    NEVER = 'at start only'
    UNCONFIGURED = 'while unconfigured'
    INACTIVE = 'while unconfigured or inactive'
    EPISODE = 'any time, from the next episode on'


@dataclass(frozen=True)
class Description:
    """A parameter's meaning in a sentence, and its allowed values."""

    text: str
    change: Change
    range: tuple[float, float] | None = None
    choices: tuple[str, ...] | None = None
    multiple_of: int | None = None

    def problem(self, name: str, value: Any) -> str | None:
        """Return why a value of the right type is not allowed, or None."""
        if self.choices and value not in self.choices:
            return f'{name} is {value!r}; expected one of {", ".join(self.choices)}'
        if self.range and not self.range[0] <= value <= self.range[1]:
            return f'{name} is {value}; expected {self.range[0]} to {self.range[1]}'
        if self.multiple_of and value % self.multiple_of:
            return f'{name} is {value}; expected a multiple of {self.multiple_of}'
        return None


def parameter(
    default: Any,
    text: str,
    change: Change,
    *,
    range: tuple[float, float] | None = None,
    choices: tuple[str, ...] | None = None,
    multiple_of: int | None = None,
) -> Any:
    """Return a field for a dataclass of settings; lists of values are given as tuples."""
    description = Description(text, change, range, choices, multiple_of)
    return dataclasses.field(default=default, metadata={'description': description})


def diagnostics_period() -> Any:
    """Return the field of a parameter that every node which publishes diagnostics has."""
    return parameter(
        1.0,
        'Period of the messages on /diagnostics [s].',
        Change.NEVER,
        range=(0.1, 60.0),
    )


def autostart() -> Any:
    """Return the field of a parameter that every lifecycle node has."""
    return parameter(
        False,
        'Configure and activate automatically, without a lifecycle manager.',
        Change.NEVER,
    )


def as_declared(name: str, value: Any, default: Any) -> Any:
    """Return a value in the type of its default; ValueError if it cannot be.

    A whole number is taken for any number: in YAML and for `ros2 param set`, 2 is one.
    """
    if isinstance(default, tuple):
        kind = type(default[0])
        items = list(value) if isinstance(value, Iterable) and not isinstance(value, str) else []
        if items and all(_fits(item, kind) for item in items):
            return [kind(item) for item in items]
        expected = f'a list of {KINDS[kind][1]}'
    else:
        if _fits(value, type(default)):
            return type(default)(value)
        expected = KINDS[type(default)][0]
    raise ValueError(f'{name} is {value!r}; expected {expected}')


def _fits(value: Any, kind: type) -> bool:
    return type(value) is kind or (kind is float and type(value) is int)


def descriptions(settings: type) -> dict[str, Description]:
    """Return the description of every parameter in a dataclass of settings, by name."""
    return {field.name: field.metadata['description'] for field in dataclasses.fields(settings)}


def sentences(settings: type) -> dict[str, str]:
    """Return what to know of every parameter, by name: meaning, values, when it can be set."""
    texts = {}
    for field in dataclasses.fields(settings):
        description: Description = field.metadata['description']
        facts = [description.text]
        if description.choices:
            facts.append(f'One of: {", ".join(description.choices)}.')
        if description.range:
            kind = type(field.default)
            facts.append('From {} to {}.'.format(*map(kind, description.range)))
        texts[field.name] = ' '.join([*facts, f'Set {description.change.value}.'])
    return texts


def check(settings: Any) -> None:
    """Raise ValueError for the first value that is not allowed."""
    for name, description in descriptions(type(settings)).items():
        if problem := description.problem(name, getattr(settings, name)):
            raise ValueError(problem)
