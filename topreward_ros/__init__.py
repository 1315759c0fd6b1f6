# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""TOPReward as a live reward stream for ROS 2."""

from pkgutil import extend_path

# A checkout holds no topreward_ros.msg: find the one that was built and installed.
__path__ = extend_path(__path__, __name__)

__version__ = '0.1.0'
