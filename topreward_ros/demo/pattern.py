# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Frames that every machine draws alike, for measuring: a square glides into a ring."""

from __future__ import annotations

import numpy as np

TABLE = np.array([236, 231, 222])
SHADE = np.array([30, 34, 42])
ORANGE = np.array([226, 118, 38])
BLUE = np.array([46, 98, 178])


def pattern_frame(progress: float, height: int = 240, width: int = 320) -> np.ndarray:
    """The scene at progress in [0, 1], uint8 RGB (height, width, 3).

    Drawn with whole numbers, so that every machine draws the same.
    """
    thousandths = round(1000 * min(max(progress, 0.0), 1.0))
    rows, columns = np.mgrid[0:height, 0:width]
    shade = (20 * rows // max(1, height - 1))[..., None]
    image = TABLE - shade * SHADE // 30
    ring = (rows - height // 2) ** 2 + (columns - 3 * width // 4) ** 2
    outer, inner = height // 5, height // 6
    image[(ring <= outer**2) & (ring >= inner**2)] = BLUE
    # Along a line, lifted in the middle
    x = width // 5 + (3 * width // 4 - width // 5) * thousandths // 1000
    lift = height // 4 * 4 * thousandths * (1000 - thousandths) // 1_000_000
    y = height // 2 - lift
    side = height // 12
    image[(abs(rows - y) <= side) & (abs(columns - x) <= side)] = ORANGE
    return image.astype(np.uint8)
