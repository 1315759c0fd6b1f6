# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Spans of a recording, as they are given by hand."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from topreward_ros.scoring.sampling import NANOSECONDS

from .clip import ClipError

NUMBER = r'(?:\d+(?:\.\d*)?|\.\d+)'
SPAN = re.compile(rf'({NUMBER})?:({NUMBER})?')


class Span(NamedTuple):
    """From start to end [s] since the first image; start is in it, end is not."""

    start: float
    end: float

    def holds(self, nanoseconds: int) -> bool:
        """Whether an image so long after the first is in it."""
        seconds = nanoseconds / NANOSECONDS
        return self.start <= seconds < self.end


def parse_spans(text: str) -> tuple[Span, ...]:
    """Read "0:12.5,20:31" [s]; ":5" is from the beginning, and "20:" to the end.

    Raises ClipError for anything else, and for a span that ends before it begins.
    """
    spans = []
    for part in text.split(','):
        match = SPAN.fullmatch(part.strip())
        if not match or not any(match.groups()):
            raise ClipError(
                f'{part.strip()!r} is no span of seconds; expected such as 0:12.5, or several with '
                'commas between them: 0:12.5,20:31'
            )
        span = Span(float(match[1] or 0), float(match[2] or math.inf))
        if span.start >= span.end:
            raise ClipError(f'the span {part.strip()} ends before it begins')
        spans.append(span)
    return tuple(spans)
