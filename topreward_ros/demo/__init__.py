# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Small simulated worlds and checkpoints, to try the package without a camera or a download."""
