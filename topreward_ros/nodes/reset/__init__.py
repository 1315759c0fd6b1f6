# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The episode reset node: end an episode, reset the scene, start the next."""
