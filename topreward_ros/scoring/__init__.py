# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Frames and a task in, log-probabilities out; knows nothing of ROS or rewards."""
