# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""RoboReward (arXiv 2601.00675): a rubric of five grades about the video so far."""
