# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""LeRobot datasets: read as clips, and the progress of their frames written."""
