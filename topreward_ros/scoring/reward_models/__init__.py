# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a model is asked, and how its answer is read; a file or a room each."""
