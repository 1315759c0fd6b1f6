# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Makes the scorer of a Qwen3-VL checkpoint."""

from __future__ import annotations

from ...loading.checkpoint import load_checkpoint
from ...loading.options import LoadOptions
from ...score import Scorer
from .recompute import RecomputeScorer
from .streaming import StreamingScorer


def make_scorer(options: LoadOptions) -> Scorer:
    """Load the model; streaming unless recompute is asked for. Raises ModelError."""
    checkpoint = load_checkpoint(options)
    if options.scorer == 'recompute':
        return RecomputeScorer(checkpoint)
    return StreamingScorer(checkpoint)
