# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Frames that are identical on every machine, for measurements: a square moves into a ring."""

from __future__ import annotations

import numpy as np

COLOR_TABLE = np.array([236, 231, 222])
COLOR_SHADE = np.array([30, 34, 42])
COLOR_SQUARE = np.array([226, 118, 38])
COLOR_RING = np.array([46, 98, 178])


def pattern_frame(progress: float, height: int = 240, width: int = 320) -> np.ndarray:
    """Render the scene at progress in [0, 1], uint8 RGB (height, width, 3).

    Only integer arithmetic is used, so the pixels are the same on every machine.
    """
    thousandths = round(1000 * min(max(progress, 0.0), 1.0))
    rows, columns = np.mgrid[0:height, 0:width]
    shade = (20 * rows // max(1, height - 1))[..., None]
    image = COLOR_TABLE - shade * COLOR_SHADE // 30
    ring = (rows - height // 2) ** 2 + (columns - 3 * width // 4) ** 2
    outer, inner = height // 5, height // 6
    image[(ring <= outer**2) & (ring >= inner**2)] = COLOR_RING
    # Along an arc
    x = width // 5 + (3 * width // 4 - width // 5) * thousandths // 1000
    lift = height // 4 * 4 * thousandths * (1000 - thousandths) // 1_000_000
    y = height // 2 - lift
    side = height // 12
    image[(abs(rows - y) <= side) & (abs(columns - x) <= side)] = COLOR_SQUARE
    return image.astype(np.uint8)
