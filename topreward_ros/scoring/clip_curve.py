# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Scores of the prefixes of a whole clip."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from .sampling import ANCHORS
from .score import Score, Scorer


def anchors(frames: int, count: int = ANCHORS) -> list[int]:
    """Return up to `count` prefix lengths, evenly spaced from 1 to `frames`, without repeats.

    The paper takes 15 (arXiv 2602.19313, section on progress estimation); rounding is LeRobot's.
    Raises ValueError where either number is below 1.
    """
    if frames < 1 or count < 1:
        raise ValueError(f'{count} prefixes of {frames} frames: expected at least one of each')
    if count == 1:
        return [frames]
    return [int(n) for n in np.unique(np.linspace(1, frames, count).round())]


def curve(
    scorer: Scorer,
    frames: Iterable[np.ndarray],
    times: Iterable[float],
    tasks: str | Sequence[str],
    lengths: Iterable[int] | None = None,
) -> list[tuple[Score, ...]]:
    """Score the prefixes of the given lengths, or every prefix.

    frames are uint8 RGB (H, W, 3), times [s] from the clip's beginning; both are read one by one
    and not kept. Returns a row per length, in rising order, with a score per task. Raises as
    `Episode.append`, and ValueError for a length that the clip does not have.
    """
    requested = None if lengths is None else sorted(set(lengths))
    if requested and requested[0] < 1:
        raise ValueError(f'a prefix of {requested[0]} frames cannot be scored; expected 1 or more')
    rows = list(scorer.curve(zip(frames, times, strict=True), tasks, requested))
    scored = [row[0].frames for row in rows]
    if requested is not None and scored != requested:
        missing = min(set(requested) - set(scored))
        raise ValueError(f'the clip has no prefix of {missing} frames: it is shorter')
    return rows
