# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Log-probabilities in, progress and success out; knows nothing of ROS or models."""
