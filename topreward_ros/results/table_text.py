# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Texts in CSV files that no spreadsheet takes for a formula."""

from __future__ import annotations

import re

# OWASP's list for CSV injection, with the full-width forms that some locales take alike. A text
# that is quoted already is quoted again, so that reading removes what writing has added.
FORMULA = re.compile("'*[=+\\-@\t\r\n＝＋－＠]")


def to_cell(text: str) -> str:
    """Return the text with an apostrophe before it if a spreadsheet would calculate it."""
    return f"'{text}" if FORMULA.match(text) else text


def from_cell(cell: str) -> str:
    """Return the text of a cell that `to_cell` has written."""
    return cell[1:] if cell.startswith("'") and FORMULA.match(cell) else cell
