# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How well progress and success are read: methods, controls, figures and a report."""
