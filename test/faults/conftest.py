# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The nodes of test/nodes, where ROS 2 is available; recordings and images need none."""

import importlib.util

if importlib.util.find_spec('rclpy'):
    from ..nodes.conftest import (  # noqa: F401  fixtures
        active,
        defaults,
        launch,
        quick,
        ros,
        shared_process,
        unconfigured,
    )
