# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Large Reward Models (arXiv 2603.16065): completion, process and contrast."""
