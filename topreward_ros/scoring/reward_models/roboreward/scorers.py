# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Makes the scorer of a RoboReward: the engine of a video and a question, asked for a grade."""

from __future__ import annotations

import dataclasses

from ...loading.checkpoint import load_checkpoint
from ...loading.options import LoadOptions
from ...score import Scorer
from ..topreward.recompute import RecomputeScorer
from ..topreward.streaming import StreamingScorer
from .question import ROBOREWARD


def make_scorer(options: LoadOptions) -> Scorer:
    """Load a model for streaming, or recompute if requested; raises ModelError.

    Frames keep their shape, as the published processor shows them.
    """
    checkpoint = load_checkpoint(dataclasses.replace(options, frame_fit='aspect'))
    if options.scorer == 'recompute':
        return RecomputeScorer(checkpoint, ROBOREWARD)
    return StreamingScorer(checkpoint, ROBOREWARD)
