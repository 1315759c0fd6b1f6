# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reads percentages of numbered frames out of what a model wrote.

Spellings vary and are taken as they come; a value is not: what is missing, out of range, said
twice in different ways or a range of numbers is NaN, never a guess.
"""

from __future__ import annotations

import re

import numpy as np

# "Frame 3:", "**Frame 3**:", "- frame #3 -", "(Frame 3)": where a line begins or another frame's
# text ends, as a frame that another one is likened to is no heading.
HEADING = re.compile(
    r'(?:^|[%％.;|])[\s,;.>*\-#"_`(\[{]{0,8}\bframe[ \t]{0,3}[#№]?[ \t]{0,3}(?P<frame>\d{1,4})'
    r'(?!\d)["*_`)\]]{0,4}[ \t]{0,3}(?:[:：=]|[-–—](?=[ \t])|(?<=[)\]]))',
    re.IGNORECASE | re.MULTILINE,
)
# A number that is no piece of a longer one, of a word or of a range
_NUMBER = r'(?<![\w.,+\-−–])(?P<value>[+\-−]?\d{1,4}(?:\.\d{1,9}|,\d{1,2})?)(?![\d.,]*\d)'
_PERCENT = r'(?:[%％]|per ?cent\b)'
_RANGE = r'(?![\s\])}>*]{0,4}(?:-|−|–|—|to\b|or\b|\.\.)\s{0,3}\d)'
# "completion percentage: 45%", "Percentages:{45}%", "percentage is about 45"
KEYED = re.compile(
    r'percentages?\b[\s"\'*_`]{0,8}(?:[:：=]|\bis\b|\bof\b)?[\s"\'*_`\[({<~≈]{0,8}(?:about\s)?'
    rf'{_NUMBER}[\s\])}}>*_`"]{{0,4}}(?:(?P<sign>{_PERCENT})|(?!\s{{0,4}}{_PERCENT})){_RANGE}',
    re.IGNORECASE,
)
UNMISTAKABLE = re.compile(r'\d+|\d{2,}[.,]\d+')  # without a sign, 0.5 could be a half
SIGNED = re.compile(rf'{_NUMBER}[\s\])}}>*_`"]{{0,4}}{_PERCENT}', re.IGNORECASE)
RANGE = re.compile(
    rf'\d\s{{0,3}}{_PERCENT}?\s{{0,3}}(?:[-−–—]|to\b|or\b|and\b|\.\.)\s{{0,3}}'
    rf'\d[\d.,]{{0,9}}\s{{0,3}}{_PERCENT}',
    re.IGNORECASE,
)


def parse_percentages(text: str, count: int) -> np.ndarray:
    """Percentages of the frames 1 to `count`, float64 (count,) in [0, 100] or NaN.

    A frame's value is the one behind its first "percentage", else the only number with a percent
    sign that is said of it. Frames of other numbers are passed over.
    """
    found: dict[int, list[float]] = {}
    headings = list(HEADING.finditer(text))
    ends = [*(heading.start('frame') for heading in headings[1:]), len(text)]
    for heading, end in zip(headings, ends, strict=False):
        said = _value(text[heading.end() : end])
        found.setdefault(int(heading['frame']), []).append(said)
    values = np.full(count, np.nan)
    for frame, said_of_it in found.items():
        if 1 <= frame <= count and len(set(said_of_it)) == 1:
            values[frame - 1] = said_of_it[0]
    return values


def _value(text: str) -> float:
    """The one percentage in this text, in [0, 100]; NaN where there is none or more than one."""
    keyed = KEYED.search(text)
    if keyed and (keyed['sign'] or UNMISTAKABLE.fullmatch(keyed['value'])):
        return _in_range(keyed['value'])
    if RANGE.search(text):
        return np.nan
    values = {_in_range(match['value']) for match in SIGNED.finditer(text)}
    return values.pop() if len(values) == 1 else np.nan


def _in_range(number: str) -> float:
    value = float(number.replace(',', '.').replace('−', '-'))
    return value if 0 <= value <= 100 else np.nan
