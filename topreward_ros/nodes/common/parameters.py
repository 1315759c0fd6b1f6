# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Settings as ROS parameters: declares them and rejects invalid values."""

from __future__ import annotations

import dataclasses
from array import array
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Any, Generic, TypeVar, cast

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.node import Node
from rclpy.parameter import Parameter

from .parameter_table import Change, Description, as_declared, descriptions
from .rclpy_versions import given_parameters

# The lifecycle states in which a parameter of each kind can be set
STATES_BY_CHANGE = {
    Change.NEVER: (),
    Change.UNCONFIGURED: ('unconfigured',),
    Change.INACTIVE: ('unconfigured', 'inactive'),
    Change.EPISODE: ('unconfigured', 'inactive', 'active'),
}
QOS_OVERRIDES = 'qos_overrides.'  # of rclpy's own parameters, declared with each publisher

S = TypeVar('S')


class Parameters(Generic[S]):
    """A node's parameters as a dataclass of settings, always valid together."""

    def __init__(
        self,
        node: Node,
        settings: Callable[..., S],
        state: Callable[[], str] = lambda: 'active',
        check: Callable[[S], object] = lambda _: None,
    ) -> None:
        """Declare all parameters.

        state returns the lifecycle state, for a lifecycle node. check raises ValueError for new
        settings that the node cannot use at the moment. Raises ValueError for an invalid override,
        and warns of those that belong to no parameter.
        """
        settings_type: Any = settings
        self._settings = settings
        self._descriptions = descriptions(settings_type)
        self._node = node
        self._state = state
        self._check_settings = check
        self._declared = False
        self._take(given_parameters(node), settings_type)
        node.add_on_set_parameters_callback(self._check)
        node.declare_parameters(
            '',
            [
                (
                    field.name,
                    _as_list(field.default),
                    _descriptor(field, self._descriptions[field.name]),
                )
                for field in dataclasses.fields(settings_type)
            ],
        )
        self._declared = True
        for name in given_parameters(node):
            if not node.has_parameter(name) and not name.startswith(QOS_OVERRIDES):
                node.get_logger().warning(f'no parameter is named {name}{self._near(name)}')

    def _take(self, given: dict[str, Any], settings: type) -> None:
        """Check the values given at start, and bring them into the types of the defaults."""
        for field in dataclasses.fields(settings):
            if field.name in given:
                value = as_declared(field.name, given[field.name].value, field.default)
                if problem := self._descriptions[field.name].problem(field.name, _as_tuple(value)):
                    raise ValueError(problem)
                given[field.name] = Parameter(field.name, value=value)

    def _near(self, name: str) -> str:
        near = get_close_matches(name, self._descriptions, 1)
        return f'; did you mean {near[0]}?' if near else '; --help lists those that there are'

    def read(self) -> S:
        """Return the current values; raises ValueError if they are inconsistent."""
        values = {name: self._node.get_parameter(name).value for name in self._descriptions}
        return self._settings(**{name: _as_tuple(value) for name, value in values.items()})

    def _check(self, changes: Sequence[Parameter[Any]]) -> SetParametersResult:
        reason = self._problem({change.name: _as_tuple(change.value) for change in changes})
        return SetParametersResult(successful=reason is None, reason=reason or '')

    def _problem(self, changes: dict[str, Any]) -> str | None:
        own = {name: value for name, value in changes.items() if name in self._descriptions}
        for name, value in own.items():
            description = self._descriptions[name]
            if problem := description.problem(name, value):
                return problem
            if self._declared and self._state() not in STATES_BY_CHANGE[description.change]:
                return f'{name} can be set {description.change.value}; the node is {self._state()}'
        if not own or not self._declared:
            return None
        try:
            self._check_settings(
                self._settings(**{**dataclasses.asdict(cast(Any, self.read())), **own})
            )
        except ValueError as error:
            return str(error)
        return None


def with_doubles(new: Parameter[Any], declared: Parameter[Any]) -> Parameter[Any]:
    """Return a new value with its whole numbers as doubles, where those are declared."""
    kinds = Parameter.Type
    if (declared.type_, new.type_) == (kinds.DOUBLE, kinds.INTEGER):
        return Parameter(new.name, value=float(new.value))
    if (declared.type_, new.type_) == (kinds.DOUBLE_ARRAY, kinds.INTEGER_ARRAY):
        return Parameter(new.name, value=[float(item) for item in new.value])
    return new


def _as_tuple(value: Any) -> Any:
    """Return a list of values as a tuple; rclpy returns numbers as an array."""
    is_list = isinstance(value, Sequence | array) and not isinstance(value, str | bytes)
    return tuple(value) if is_list else value


def _as_list(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _descriptor(field: dataclasses.Field[Any], description: Description) -> ParameterDescriptor:
    constraints = f'Can be set {description.change.value}.'
    if description.choices:
        constraints += f' One of: {", ".join(description.choices)}.'
    descriptor = ParameterDescriptor(
        description=description.text,
        read_only=description.change is Change.NEVER,
        additional_constraints=constraints,
    )
    if description.range and isinstance(field.default, int):
        first, last = (int(end) for end in description.range)
        descriptor.integer_range = [IntegerRange(from_value=first, to_value=last)]
    elif description.range:
        low, high = description.range
        descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
    return descriptor
