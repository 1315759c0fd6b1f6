# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Qwen3-VL run exactly: prompt segments in, hidden states and log-probabilities out."""
