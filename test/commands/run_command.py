# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Run the `topreward` command in a process without ROS."""

from __future__ import annotations

import subprocess
import sys

CODE = 'import sys; sys.modules["rclpy"] = None; from topreward_ros.commands.main import main; '


def topreward(*arguments: object, seconds: float = 120) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, '-c', CODE + 'sys.exit(main())', *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
