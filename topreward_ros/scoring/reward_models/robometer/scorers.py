# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Makes the scorer of a Robometer."""

from __future__ import annotations

from ...loading.options import LoadOptions
from ...score import Scorer
from .loading import load_robometer
from .recompute import RobometerRecompute
from .streaming import RobometerScorer


def make_scorer(options: LoadOptions) -> Scorer:
    """Load a Robometer for streaming, or recompute if requested; raises ModelError."""
    robometer = load_robometer(options)
    if options.scorer == 'recompute':
        return RobometerRecompute(robometer)
    return RobometerScorer(robometer)
