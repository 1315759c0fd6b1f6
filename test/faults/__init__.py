# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Tables of faults, by kind: what was wrong, and the right outcome."""
