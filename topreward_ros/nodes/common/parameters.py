# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Declares the settings as ROS parameters and keeps wrong values out."""

from __future__ import annotations

import dataclasses
from array import array
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar, cast

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.node import Node
from rclpy.parameter import Parameter

from .parameter_table import Change, Description, descriptions

# The states of the lifecycle in which a change of each kind is taken.
TAKEN_IN = {
    Change.NEVER: (),
    Change.UNCONFIGURED: ('unconfigured',),
    Change.INACTIVE: ('unconfigured', 'inactive'),
    Change.EPISODE: ('unconfigured', 'inactive', 'active'),
}


S = TypeVar('S')


class Parameters(Generic[S]):
    """The node's parameters as a dataclass of settings, always valid as a whole."""

    def __init__(
        self,
        node: Node,
        settings: Callable[..., S],
        state: Callable[[], str] = lambda: 'active',
        check: Callable[[S], object] = lambda _: None,
    ) -> None:
        """Declare all; raises rclpy's InvalidParameterValueException for a wrong override.

        state is the lifecycle's, of a node that has one. check raises ValueError for new values
        that do not go with what the node holds.
        """
        kind: Any = settings
        self._settings = settings
        self._descriptions = descriptions(kind)
        self._node = node
        self._state = state
        self._check_fit = check
        self._declared = False
        node.add_on_set_parameters_callback(self._check)
        node.declare_parameters(
            '',
            [
                (
                    field.name,
                    _listed(field.default),
                    _descriptor(field, self._descriptions[field.name]),
                )
                for field in dataclasses.fields(kind)
            ],
        )
        self._declared = True

    def read(self) -> S:
        """The present values; ValueError where they do not go together."""
        values = {name: self._node.get_parameter(name).value for name in self._descriptions}
        return self._settings(**{name: _plain(value) for name, value in values.items()})

    def _check(self, changes: Sequence[Parameter[Any]]) -> SetParametersResult:
        reason = self._problem({change.name: _plain(change.value) for change in changes})
        return SetParametersResult(successful=reason is None, reason=reason or '')

    def _problem(self, changes: dict[str, Any]) -> str | None:
        ours = {name: value for name, value in changes.items() if name in self._descriptions}
        for name, value in ours.items():
            described = self._descriptions[name]
            if problem := described.problem(name, value):
                return problem
            if self._declared and self._state() not in TAKEN_IN[described.change]:
                return f'{name} can be set {described.change.value}; the node is {self._state()}'
        if not ours or not self._declared:
            return None
        try:
            self._check_fit(
                self._settings(**{**dataclasses.asdict(cast(Any, self.read())), **ours})
            )
        except ValueError as error:
            return str(error)
        return None


def _plain(value: Any) -> Any:
    """Lists of values as tuples; rclpy hands numbers over as an array."""
    is_list = isinstance(value, Sequence | array) and not isinstance(value, str | bytes)
    return tuple(value) if is_list else value


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _descriptor(field: dataclasses.Field[Any], described: Description) -> ParameterDescriptor:
    constraints = f'Taken {described.change.value}.'
    if described.choices:
        constraints += f' One of: {", ".join(described.choices)}.'
    descriptor = ParameterDescriptor(
        description=described.text,
        read_only=described.change is Change.NEVER,
        additional_constraints=constraints,
    )
    if described.range and isinstance(field.default, int):
        first, last = (int(end) for end in described.range)
        descriptor.integer_range = [IntegerRange(from_value=first, to_value=last)]
    elif described.range:
        low, high = described.range
        descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
    return descriptor
