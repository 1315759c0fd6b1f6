# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Descriptors of parameters: what each means, and what values it takes."""

from __future__ import annotations

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor


def describe(
    default: object,
    text: str,
    read_only: bool = False,
    constraints: str = '',
    range: tuple[float, float] | None = None,
) -> ParameterDescriptor:
    """The range is one of whole numbers where the default is a whole number."""
    descriptor = ParameterDescriptor(
        description=text, read_only=read_only, additional_constraints=constraints
    )
    if range and isinstance(default, int):
        first, last = (int(end) for end in range)
        descriptor.integer_range = [IntegerRange(from_value=first, to_value=last)]
    elif range:
        low, high = range
        descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
    return descriptor
