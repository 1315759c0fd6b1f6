# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Tables of figures as Markdown, with the values of those that are too few for an interval."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from .intervals import LEAST, Figure

Table = Mapping[str, Mapping[str, Figure]]


def table_lines(head: str, columns: Sequence[str], table: Table) -> list[str]:
    """Return the lines of a table, and of the values behind it where there is no interval."""
    lines = [f'| {head} | {" | ".join(columns)} |', f'|---|{"---:|" * len(columns)}']
    for name, row in table.items():
        cells = [_cell(row[column]) for column in columns]
        lines.append(f'| {name} | {" | ".join(cells)} |')
    return [*lines, '', *_value_lines(columns, table)]


def _cell(figure: Figure) -> str:
    if not figure.count or math.isnan(figure.value):
        return 'flat' if figure.of else '-'
    if math.isnan(figure.low):
        return f'{figure.value:.3f}'
    return f'{figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f})'


def _value_lines(columns: Sequence[str], table: Table) -> list[str]:
    """Return a line for each row with figures that are not NaN and have no interval."""
    lines = []
    for name, row in table.items():
        few = {
            column: row[column]
            for column in columns
            if row[column].count and math.isnan(row[column].low) and row[column].values
        }
        if few:
            parts = '; '.join(f'{column} {_listed(figure)}' for column, figure in few.items())
            lines.append(f'- {name}: {parts}')
    if not lines:
        return []
    return [
        f'Fewer than {LEAST} recordings of a kind make no interval. Their values:',
        '',
        *lines,
        '',
    ]


def _listed(figure: Figure) -> str:
    """Return the values of a figure by kind; of a kind with LEAST or more, only their number."""
    parts = []
    for kind, values in figure.values.items():
        if figure.is_share:
            text = f'{sum(values):.0f} of {len(values)}'
        elif len(values) >= LEAST:
            text = f'{len(values)} values'
        else:
            text = ', '.join(f'{value:.3f}' for value in values) or 'none'
        parts.append(f'{text} {kind}'.rstrip() if figure.is_share else f'{kind} {text}'.lstrip())
    return ' / '.join(parts)


def cell_text(name: str) -> str:
    """Return a name as it can stand in a cell of a table."""
    return ' '.join(name.replace('|', '\\|').split())
