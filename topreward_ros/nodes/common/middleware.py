# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Middleware settings for camera images, needed before rclpy starts.

Does not import rclpy: the launch files use this module too.
"""

import os
from collections.abc import Mapping

from topreward_ros.share import share_directory

PROFILE_VARIABLE = 'FASTDDS_DEFAULT_PROFILES_FILE'
PROFILE_VARIABLE_BEFORE_KILTED = 'FASTRTPS_DEFAULT_PROFILES_FILE'  # deprecated since Kilted
TRANSPORTS = ('raw', 'compressed')
BEFORE_KILTED = ('humble', 'iron', 'jazzy')


def image_topic(camera: str, image_transport: str) -> str:
    """Return a camera's image topic; a compressed one may be named with or without /compressed."""
    if image_transport == 'compressed' and not camera.endswith('/compressed'):
        return f'{camera}/compressed'
    return camera


def image_profile_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment variables that let images of any size arrive over Fast DDS.

    The publisher's process needs them. Empty if `environ` already names a profile or selects
    another middleware.
    """
    middleware = environ.get('RMW_IMPLEMENTATION') or 'rmw_fastrtps_cpp'
    variables = (PROFILE_VARIABLE, PROFILE_VARIABLE_BEFORE_KILTED)
    if any(map(environ.get, variables)) or not middleware.startswith('rmw_fastrtps'):
        return {}
    variable = variables[environ.get('ROS_DISTRO') in BEFORE_KILTED]
    return {variable: str(share_directory() / 'config' / 'fastdds_images.xml')}


def apply_image_profile() -> None:
    """Set these variables for this process and its children; call it before rclpy.init()."""
    os.environ.update(image_profile_environment())
