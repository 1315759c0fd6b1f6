# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""TOPReward (arXiv 2602.19313): log P(" True") after the video and the question."""
