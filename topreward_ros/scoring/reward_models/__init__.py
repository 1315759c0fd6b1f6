# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reward models: what a model is asked, and how its answer is read."""
