# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""ROS domains of this test run, others for each of its workers; 101 is that of the launch files."""

import os

_run = os.getppid() if 'PYTEST_XDIST_WORKER' in os.environ else os.getpid()
_worker = int(os.environ.get('PYTEST_XDIST_WORKER', 'gw0').removeprefix('gw'))

NODES_DOMAIN = 1 + (_run + _worker) % 50  # of the nodes in test/nodes
COMMANDS_DOMAIN = 50 + NODES_DOMAIN  # of the nodes that a command starts
