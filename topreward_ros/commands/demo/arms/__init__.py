# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`topreward demo --world so101` and `panda`: arms in physics."""
