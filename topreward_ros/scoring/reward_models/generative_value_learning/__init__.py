# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Generative Value Learning (arXiv 2411.04549): percentages written for shuffled frames."""
