# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One call from a model's name to a scorer."""

from __future__ import annotations

from .checkpoint import Checkpoint, LoadOptions, load_checkpoint
from .recompute import RecomputeScorer
from .score import Scorer
from .streaming import StreamingScorer
from .video import DEFAULT_MAX_PIXELS


def load_scorer(
    model: str,
    options: LoadOptions | None = None,
    kind: str = 'auto',
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> tuple[Scorer, Checkpoint]:
    """Load a model and make its scorer: "streaming", "recompute", or "auto" by its family.

    Raises ModelError as `load_checkpoint`, and where streaming is asked of another family.
    """
    checkpoint = load_checkpoint(model, options)
    if kind == 'recompute' or (kind == 'auto' and not checkpoint.streams):
        return RecomputeScorer(checkpoint, max_pixels=max_pixels), checkpoint
    return StreamingScorer(checkpoint, max_pixels=max_pixels), checkpoint
