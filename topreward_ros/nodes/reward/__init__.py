# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The reward node: a camera and a task in, Progress, SuccessDetected and Event out."""
