# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Weights of demonstration frames for behaviour cloning, from the progress that follows them.

The progress gained from a frame is taken over the next `chunk` frames, the length of an action
chunk; near the end of an episode, up to its last frame.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .values import advantages


def gained(progress: np.ndarray, chunk: int) -> np.ndarray:
    """Return progress[min(t + chunk, n - 1)] - progress[t], (n,); NaN where either is NaN."""
    if chunk < 1:
        raise ValueError(f'chunk is {chunk}; expected 1 or more')
    progress = np.asarray(progress, dtype=np.float64)
    ahead = np.minimum(np.arange(len(progress)) + chunk, len(progress) - 1)
    return progress[ahead] - progress


def advantage_weights(
    progress: np.ndarray, chunk: int, tau: float = 2.0, delta_max: float = 2.0
) -> np.ndarray:
    """Return clip(tau exp(gained), 0, delta_max), (n,), for advantage-weighted cloning.

    As in arXiv 2602.19313.
    """
    return advantages(gained(progress, chunk), tau, delta_max)


def rabc_weights(
    episodes: Sequence[np.ndarray],
    chunk: int,
    kappa: float = 0.01,
    epsilon: float = 1e-6,
    fallback: float = 1.0,
) -> list[np.ndarray]:
    """Return reward-aligned weights in [0, 1], an array for each episode's progress.

    1 where more than kappa is gained, 0 where progress is lost, and in between
    clip((gained - (mu - 2 sigma)) / (4 sigma + epsilon), 0, 1), with mu (at least 0) and sigma (at
    least epsilon) over the frames of all episodes; `fallback` where progress is NaN. Source:
    arXiv 2509.25358, equations 8 and 9, with the guards of LeRobot's loader.
    """
    steps = [gained(progress, chunk) for progress in episodes]
    known = np.concatenate([step[~np.isnan(step)] for step in steps]) if steps else np.empty(0)
    mean = max(float(known.mean()), 0.0) if known.size else 0.0
    deviation = max(float(known.std()), epsilon) if known.size else epsilon
    weights = []
    for step in steps:
        soft = np.clip((step - (mean - 2 * deviation)) / (4 * deviation + epsilon), 0, 1)
        weight = np.where(step > kappa, 1.0, np.where(step >= 0, soft, 0.0))
        weights.append(np.where(np.isnan(step), fallback, weight))
    return weights
