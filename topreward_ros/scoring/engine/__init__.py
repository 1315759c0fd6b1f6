# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Qwen3-VL with an exact prefix cache: prompt segments in, log-probabilities out."""
