# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
