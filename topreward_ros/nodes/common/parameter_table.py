# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How a node's parameters are described: one table to declare, to check and to document them."""

from __future__ import annotations

import dataclasses
import enum
from dataclasses import dataclass
from typing import Any


class Change(enum.Enum):
    """When a new value is taken."""

    NEVER = 'at start only'
    UNCONFIGURED = 'while unconfigured'
    INACTIVE = 'while unconfigured or inactive'
    EPISODE = 'any time, from the next episode on'


@dataclass(frozen=True)
class Description:
    """One sentence, and what values are allowed."""

    text: str
    change: Change
    range: tuple[float, float] | None = None
    choices: tuple[str, ...] | None = None
    multiple_of: int | None = None

    def problem(self, name: str, value: Any) -> str | None:
        """Why this value is not allowed, or None. The type is the middleware's to check."""
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
    """A field of a dataclass of settings; lists of values are given as tuples."""
    described = Description(text, change, range, choices, multiple_of)
    return dataclasses.field(default=default, metadata={'description': described})


def diagnostics_period() -> Any:
    """A parameter that every node of the package has."""
    return parameter(
        1.0,
        'Time between two messages on /diagnostics [s].',
        Change.NEVER,
        range=(0.1, 60.0),
    )


def autostart() -> Any:
    """A parameter that every lifecycle node of the package has."""
    return parameter(
        False,
        'Configure and activate by itself, without a lifecycle manager.',
        Change.NEVER,
    )


def descriptions(settings: type) -> dict[str, Description]:
    return {field.name: field.metadata['description'] for field in dataclasses.fields(settings)}


def check(settings: Any) -> None:
    """ValueError for the first value that is not allowed."""
    for name, described in descriptions(type(settings)).items():
        if problem := described.problem(name, getattr(settings, name)):
            raise ValueError(problem)
