# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Frames and a task in, scores out; imports no ROS.

from topreward_ros.scoring import LoadOptions, curve, load_scorer

scorer = load_scorer(LoadOptions('Qwen/Qwen3-VL-8B-Instruct'))
episode = scorer.start('Put the block into the cup.')
episode.append(frame, time=0.0)  # uint8 RGB (H, W, 3), [s]
score = episode.score()
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from topreward_ros.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from .clip_curve import anchors as anchors
    from .clip_curve import curve as curve
    from .engine.chat_model import ChatModel as ChatModel
    from .families import FAMILIES as FAMILIES
    from .families import load_scorer as load_scorer
    from .loading.options import LoadOptions as LoadOptions
    from .questions import Question as Question
    from .reward_models.generative_value_learning.values import (
        generative_values as generative_values,
    )
    from .reward_models.large_reward_models.questions import FrameQuestion as FrameQuestion
    from .reward_models.large_reward_models.rewards import LargeRewardModel as LargeRewardModel
    from .sampling import FrameWindow as FrameWindow
    from .sampling import Sampling as Sampling
    from .score import Episode as Episode
    from .score import Identity as Identity
    from .score import Score as Score
    from .score import Scorer as Scorer

__getattr__, __all__ = lazy_exports(
    __name__,
    {
        'clip_curve': ('anchors', 'curve'),
        'engine.chat_model': ('ChatModel',),
        'families': ('FAMILIES', 'load_scorer'),
        'loading.options': ('LoadOptions',),
        'questions': ('Question',),
        'reward_models.generative_value_learning.values': ('generative_values',),
        'reward_models.large_reward_models.questions': ('FrameQuestion',),
        'reward_models.large_reward_models.rewards': ('LargeRewardModel',),
        'sampling': ('FrameWindow', 'Sampling'),
        'score': ('Episode', 'Identity', 'Score', 'Scorer'),
    },
)
