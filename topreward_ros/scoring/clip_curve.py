# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The scores of a whole clip: which prefixes, and the call that scores them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from .sampling import ANCHORS
from .score import Score, Scorer


def anchors(frames: int, count: int = ANCHORS) -> list[int]:
    """Lengths of `count` prefixes of a clip, evenly spaced from 1 to all of it, each once.

    As the paper takes 15 (arXiv 2602.19313, section on progress estimation) and LeRobot rounds.
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
    """Score the prefixes of these lengths; every prefix where none are named.

    frames are uint8 RGB (H, W, 3), times [s] from the clip's beginning; both are read one by one
    and not kept. Each row, in rising order of length, has a score per task. Raises as
    `Episode.append`, and ValueError for a length that the clip does not have.
    """
    wanted = None if lengths is None else sorted(set(lengths))
    if wanted and wanted[0] < 1:
        raise ValueError(f'a prefix of {wanted[0]} frames cannot be scored; expected 1 or more')
    rows = list(scorer.curve(zip(frames, times, strict=True), tasks, wanted))
    found = [row[0].frames for row in rows]
    if wanted is not None and found != wanted:
        missing = min(set(wanted) - set(found))
        raise ValueError(f'the clip has no prefix of {missing} frames: it is shorter')
    return rows
