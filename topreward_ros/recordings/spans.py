# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Time spans of a recording, given by hand."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from topreward_ros.scoring.sampling import NANOSECONDS

from .clip import ClipError

NUMBER = r'(?:\d+(?:\.\d*)?|\.\d+)'
SPAN = re.compile(rf'({NUMBER})?:({NUMBER})?')


class Span(NamedTuple):
    """A time span from start (included) to end (excluded), in seconds since the first image."""

    start: float
    end: float

    def holds(self, nanoseconds: int) -> bool:
        """Return whether it holds an image this many nanoseconds after the first."""
        seconds = nanoseconds / NANOSECONDS
        return self.start <= seconds < self.end


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
