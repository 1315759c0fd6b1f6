# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Colors of a Bayer mosaic, by gradient-corrected linear interpolation.

H. S. Malvar, L. He, R. Cutler: High-quality linear interpolation for demosaicing of Bayer-patterned
color images, ICASSP 2004. Its filters have integer weights over 16 when doubled.
"""

from __future__ import annotations

import numpy as np

# Of green where there is red or blue; of a color in the rows, and in the columns, of its own among
# green; of red where there is blue, and blue where there is red
GREEN = ((0, 0, -2, 0, 0), (0, 0, 4, 0, 0), (-2, 4, 8, 4, -2), (0, 0, 4, 0, 0), (0, 0, -2, 0, 0))
IN_ROW = (
    (0, 0, 1, 0, 0),
    (0, -2, 0, -2, 0),
    (-2, 8, 10, 8, -2),
    (0, -2, 0, -2, 0),
    (0, 0, 1, 0, 0),
)
ACROSS = ((0, 0, -3, 0, 0), (0, 4, 0, 4, 0), (-3, 0, 12, 0, -3), (0, 4, 0, 4, 0), (0, 0, -3, 0, 0))
IN_COLUMN = tuple(zip(*IN_ROW, strict=True))


def demosaic(mosaic: np.ndarray, order: str) -> np.ndarray:
    """Return uint8 RGB (H, W, 3) of a uint8 mosaic (H, W), both at least 2.

    order is that of its first two rows, such as rggb.
    """
    padded = np.pad(mosaic.astype(np.int32), 2, mode='reflect' if min(mosaic.shape) > 2 else 'wrap')
    result = np.empty((*mosaic.shape, 3), np.uint8)
    for place, color in enumerate(order):
        row, column = divmod(place, 2)
        here = np.s_[row::2, column::2]
        across = order[3 - place]  # diagonally opposite
        if color == 'g':
            beside = order[2 * row + 1 - column]
            filters = {beside: IN_ROW, order[place - 2 if row else place + 2]: IN_COLUMN}
        else:
            filters = {'g': GREEN, across: ACROSS}
        result[here][..., 'rgb'.index(color)] = mosaic[here]
        for other, weights in filters.items():
            result[here][..., 'rgb'.index(other)] = _filtered(padded, weights, row, column)
    return result


def _filtered(
    padded: np.ndarray, weights: tuple[tuple[int, ...], ...], row: int, column: int
) -> np.ndarray:
    """Return a filter's values at every second row and column from these on, uint8."""
    height, width = padded.shape[0] - 4, padded.shape[1] - 4
    total: np.ndarray | int = 0
    for down, line in enumerate(weights):
        for right, weight in enumerate(line):
            if weight:
                top, left = row + down, column + right
                total = total + weight * padded[top : height + down : 2, left : width + right : 2]
    return np.clip((np.asarray(total) + 8) // 16, 0, 255).astype(np.uint8)
