# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Nodes in child processes and a recorder, for commands that play or demonstrate a run."""
