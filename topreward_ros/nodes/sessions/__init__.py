# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Nodes in child processes with a recorder, for commands that show a run."""
