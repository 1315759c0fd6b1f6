# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Tables of faults: what goes wrong on a robot, and what the package makes of it."""
