# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Robometer (arXiv 2603.02115): progress and success after each picture, from trained heads."""
