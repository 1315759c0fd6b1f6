# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The plug-in is a distribution of its own; here it is taken from the checkout."""

import sys
from pathlib import Path

PLUGIN = Path(__file__).parents[2] / 'integrations' / 'lerobot_reward_topreward'
sys.path.insert(0, str(PLUGIN))
NO_LEROBOT = 'LeRobot needs Python 3.12: `nox -s lerobot` runs these tests with it'
