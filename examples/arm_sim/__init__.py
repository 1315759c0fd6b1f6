# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Two arms in MuJoCo as ROS 2 robots: an SO-101 and a Panda with blocks to move."""

import os

# Before mujoco is imported: it renders without a screen, and one core is as fast as two
os.environ.setdefault('MUJOCO_GL', 'egl')
os.environ.setdefault('LP_NUM_THREADS', '1')
