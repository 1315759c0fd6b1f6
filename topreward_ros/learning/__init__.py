# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Rewards for learners: a Gymnasium environment whose reward is the progress that a model sees.

from topreward_ros.learning import LiveReward, ScorerReward, episode_rewards

env = ScorerReward(env, scorer, 'Put the block into the cup.')  # in this process
env = LiveReward(env, 'Put the block into the cup.')  # by a running reward node
rewards = episode_rewards(scorer, task, pictures)  # of a whole episode at once
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from topreward_ros.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from .episode_rewards import episode_rewards as episode_rewards
    from .live_reward import LiveReward as LiveReward
    from .reward_wrapper import Reading as Reading
    from .reward_wrapper import RewardWrapper as RewardWrapper
    from .scorer_reward import ScorerReward as ScorerReward

__getattr__, __all__ = lazy_exports(
    __name__,
    {
        'episode_rewards': ('episode_rewards',),
        'live_reward': ('LiveReward',),
        'reward_wrapper': ('Reading', 'RewardWrapper'),
        'scorer_reward': ('ScorerReward',),
    },
)
