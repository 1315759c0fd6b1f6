# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a user can get wrong, or a recorder, a camera or a disk: read right, or told."""
