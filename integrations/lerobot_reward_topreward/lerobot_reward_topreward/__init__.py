# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A reward model of LeRobot that scores with topreward_ros; importing it registers the type.

import lerobot_reward_topreward
from lerobot.rewards import make_reward_model, make_reward_model_config

config = make_reward_model_config('topreward_ros', image_key='observation.images.top')
reward = make_reward_model(config).compute_reward(batch)  # float32 (B,)
"""

from .configuration_topreward_ros import TopRewardRosConfig as TopRewardRosConfig
