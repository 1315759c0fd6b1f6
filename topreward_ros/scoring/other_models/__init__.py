# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Model families without a streaming path, run with their own processor."""
