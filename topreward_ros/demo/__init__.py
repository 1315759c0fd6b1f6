# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the package can show without a camera or a downloaded model."""
