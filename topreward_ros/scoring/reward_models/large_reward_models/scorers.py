# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Makes the scorer of a Qwen3-VL that is asked the questions of Large Reward Models."""

from __future__ import annotations

from ...engine.chat_model import ChatModel
from ...loading.checkpoint import load_checkpoint
from ...loading.options import LoadOptions
from ...score import Scorer
from .adapters import has_several, load_adapted
from .recompute import RecomputedChatModel
from .rewards import LargeRewardModel


def make_scorer(options: LoadOptions) -> Scorer:
    """Load a model and its adapters, if any, for streaming, or recompute if requested.

    An adapter of its own folder is merged and answers all questions; a folder of three is one per
    question. Raises ModelError.
    """
    if options.adapter is not None and has_several(options.adapter):
        return LargeRewardModel(load_adapted(options))
    kind = RecomputedChatModel if options.scorer == 'recompute' else ChatModel
    return LargeRewardModel(kind(load_checkpoint(options)))
