# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Examples run as nodes; their fixtures are in test/live_nodes.py."""

import pytest

pytest.importorskip('rclpy', reason='ROS 2 is not available: pip install .[kilted,test]')


@pytest.fixture(scope='session', autouse=True)
def nodes_run(ros: None) -> None:
    pass
