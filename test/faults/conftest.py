# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Some tests here run nodes, where ROS 2 is available; recordings and images need none."""

import importlib.util

import pytest

if importlib.util.find_spec('rclpy'):

    @pytest.fixture(scope='session', autouse=True)
    def nodes_run(ros: None) -> None:
        pass
