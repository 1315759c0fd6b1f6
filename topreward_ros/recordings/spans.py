# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Episodes of a recording, given by hand: time spans, or numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import NamedTuple

from topreward_ros.scoring.sampling import NANOSECONDS

from .clip import ClipError

NUMBER = r'(?:\d+(?:\.\d*)?|\.\d+)'
RANGE = re.compile(r'(\d{1,9})(?:-(\d{1,9}))?')
SPAN = re.compile(rf'({NUMBER})?:({NUMBER})?')


class Span(NamedTuple):
    """A time span from start (included) to end (excluded), in seconds since the first image."""

    start: float
    end: float

    def holds(self, nanoseconds: int) -> bool:
        """Return whether it holds an image this many nanoseconds after the first."""
        seconds = nanoseconds / NANOSECONDS
        return self.start <= seconds < self.end


def parse_episodes(texts: Sequence[str]) -> tuple[tuple[Span, ...], tuple[range, ...]]:
    """Parse spans such as "0:12.5" [s], or numbers and ranges such as "5", "10-14" (included).

    Both may be several, separated by commas. Raises ClipError for any other text, and for spans and
    numbers mixed.
    """
    parts = [part.strip() for text in texts for part in text.split(',')]
    if any(':' in part for part in parts):
        return parse_spans(','.join(parts)), ()
    ranges = []
    for part in parts:
        match = RANGE.fullmatch(part)
        if not match:
            raise ClipError(
                f'{part!r} is neither the number of an episode nor a span; expected such as '
                '0 5 10-14 for a LeRobot dataset, or START:END in seconds for a bag'
            )
        first, last = int(match[1]), int(match[2] or match[1])
        if first > last:
            raise ClipError(f'the episodes {part} end before they begin')
        ranges.append(range(first, last + 1))
    return (), tuple(ranges)


def parse_spans(text: str) -> tuple[Span, ...]:
    """Parse spans such as "0:12.5,20:31" [s]; ":5" is from the beginning, "20:" to the end.

    Raises ClipError for any other text, and for a span that ends before it begins.
    """
    spans = []
    for part in text.split(','):
        match = SPAN.fullmatch(part.strip())
        if not match or not any(match.groups()):
            raise ClipError(
                f'{part.strip()!r} is not a span in seconds; expected START:END such as 0:12.5, or '
                'several separated by commas: 0:12.5,20:31'
            )
        span = Span(float(match[1] or 0), float(match[2] or math.inf))
        if span.start >= span.end:
            raise ClipError(f'the span {part.strip()} ends before it begins')
        spans.append(span)
    return tuple(spans)
