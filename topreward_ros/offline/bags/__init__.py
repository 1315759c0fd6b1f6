# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Rosbags: read, cut into episodes, and written with what was told of them."""
