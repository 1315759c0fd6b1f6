# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Declares the settings as ROS parameters and keeps wrong values out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from rcl_interfaces.msg import ParameterDescriptor, SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter

from .descriptors import describe
from .settings import DESCRIPTIONS, Change, Description, Settings

# The states of the lifecycle in which a change of each kind is taken.
TAKEN_IN = {
    Change.NEVER: (),
    Change.UNCONFIGURED: ('unconfigured',),
    Change.INACTIVE: ('unconfigured', 'inactive'),
    Change.EPISODE: ('unconfigured', 'inactive', 'active'),
}


class Parameters:
    """The node's parameters as Settings, always valid as a whole."""

    def __init__(self, node: Node, state: Callable[[], str]) -> None:
        """Declare all; raises rclpy's InvalidParameterValueException for a wrong override."""
        self._node = node
        self._state = state
        self._declared = False
        node.add_on_set_parameters_callback(self._check)
        node.declare_parameters(
            '',
            [
                (field.name, field.default, _descriptor(field, DESCRIPTIONS[field.name]))
                for field in dataclasses.fields(Settings)
            ],
        )
        self._declared = True

    def read(self) -> Settings:
        """The present values; ValueError where they do not go together."""
        return Settings(**{name: self._node.get_parameter(name).value for name in DESCRIPTIONS})

    def _check(self, changes: Sequence[Parameter[Any]]) -> SetParametersResult:
        reason = self._refusal({change.name: change.value for change in changes})
        return SetParametersResult(successful=reason is None, reason=reason or '')

    def _refusal(self, changes: dict[str, Any]) -> str | None:
        ours = {name: value for name, value in changes.items() if name in DESCRIPTIONS}
        for name, value in ours.items():
            described = DESCRIPTIONS[name]
            if refusal := described.refusal(name, value):
                return refusal
            if self._declared and self._state() not in TAKEN_IN[described.change]:
                return f'{name} can be set {described.change.value}; the node is {self._state()}'
        if not ours or not self._declared:
            return None
        try:
            dataclasses.replace(self.read(), **ours)
        except ValueError as error:
            return str(error)
        return None


def _descriptor(field: dataclasses.Field[Any], described: Description) -> ParameterDescriptor:
    constraints = f'Taken {described.change.value}.'
    if described.choices:
        constraints += f' One of: {", ".join(described.choices)}.'
    read_only = described.change is Change.NEVER
    return describe(field.default, described.text, read_only, constraints, described.range)
