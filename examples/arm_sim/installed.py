# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whether MuJoCo is there and renders."""

from __future__ import annotations

from topreward_ros.errors import TopRewardError, one_line


class SimulatorError(TopRewardError):
    """MuJoCo is not installed, or cannot render here."""


def check_installed() -> None:
    """Raise SimulatorError with what to do if MuJoCo cannot be imported."""
    try:
        import mujoco  # noqa: F401
    except ModuleNotFoundError as error:
        raise SimulatorError(
            f"{error.name} is not installed: pip install -c constraints.txt '.[sim]'"
        ) from error
    except Exception as error:  # what PyOpenGL raises without a library is of many types
        raise SimulatorError(no_rendering(error)) from error


def no_rendering(error: Exception) -> str:
    """Say what to do where MuJoCo finds no way to render."""
    return (
        f'MuJoCo cannot render without a screen ({one_line(error, 100)}): install libegl1 and '
        'libgl1-mesa-dri, or set MUJOCO_GL to osmesa or glfw before mujoco is imported'
    )
