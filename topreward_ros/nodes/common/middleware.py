# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What camera images need of the middleware, known before rclpy starts.

Imports no rclpy: the launch files use it too.
"""

import os
from collections.abc import Mapping

from topreward_ros.share import share_directory

PROFILE_VARIABLE = 'FASTDDS_DEFAULT_PROFILES_FILE'
PROFILE_VARIABLE_BEFORE_KILTED = 'FASTRTPS_DEFAULT_PROFILES_FILE'  # Kilted warns of this name
TRANSPORTS = ('raw', 'compressed')
BEFORE_KILTED = ('humble', 'iron', 'jazzy')


def image_topic(camera: str, image_transport: str) -> str:
    """Return the topic of a camera's images: of compressed ones, with or without /compressed."""
    if image_transport == 'compressed' and not camera.endswith('/compressed'):
        return f'{camera}/compressed'
    return camera


def image_profile_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment variables with which images of any size arrive over Fast DDS.

    It is the publisher's process that must have them. Empty where `environ` names a profile
    already, or another middleware.
    """
    middleware = environ.get('RMW_IMPLEMENTATION') or 'rmw_fastrtps_cpp'
    variables = (PROFILE_VARIABLE, PROFILE_VARIABLE_BEFORE_KILTED)
    if any(map(environ.get, variables)) or not middleware.startswith('rmw_fastrtps'):
        return {}
    variable = variables[environ.get('ROS_DISTRO') in BEFORE_KILTED]
    return {variable: str(share_directory() / 'config' / 'fastdds_images.xml')}


def apply_image_profile() -> None:
    """Set those variables for this process and its children; call it before rclpy.init()."""
    os.environ.update(image_profile_environment())
