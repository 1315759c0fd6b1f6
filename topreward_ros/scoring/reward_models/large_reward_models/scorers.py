# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Makes the scorer of a Qwen3-VL that is asked the questions of Large Reward Models."""

from __future__ import annotations

from ...engine.chat_model import ChatModel
from ...loading.checkpoint import load_checkpoint
from ...loading.options import LoadOptions
from ...score import Scorer
from .rewards import LargeRewardModel


def make_scorer(options: LoadOptions) -> Scorer:
    """Load a model and ask it; raises ModelError. There is one way to run it for all `scorer`."""
    return LargeRewardModel(ChatModel(load_checkpoint(options)))
