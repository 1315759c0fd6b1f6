# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What goes wrong on robots and in recordings, a table for each kind of fault."""
