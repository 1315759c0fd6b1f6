# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The path templates of a LeRobot dataset's metadata."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Mapping
from string import Formatter

from .files import INFO, DatasetError, inside

NUMBER_FORMAT = re.compile(r'(0?\d{1,2})?d?')


def fill(template: str, values: Mapping[str, int | str]) -> str:
    """Fill a template such as data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet.

    Only the names of these values and widths of at most two digits are valid: the template comes
    from the dataset, and Python's format would give it attributes and any amount of memory.
    Raises DatasetError.
    """
    try:
        parts = list(Formatter().parse(template))
        path = ''.join(text + _field(name, form, conv, values) for text, name, form, conv in parts)
    except (LookupError, ValueError) as error:
        raise DatasetError(
            f'{INFO} has an invalid path template: {reprlib.repr(template)}; expected names and '
            f'widths such as {{{next(iter(values))}:03d}}'
        ) from error
    return inside(path)


def _field(
    name: str | None, form: str | None, conversion: str | None, values: Mapping[str, int | str]
) -> str:
    if name is None:
        return ''
    value, form = values[name], form or ''
    if conversion or not (NUMBER_FORMAT.fullmatch(form) if isinstance(value, int) else not form):
        raise ValueError(f'{form!r} is not a format')
    return format(value, form)
