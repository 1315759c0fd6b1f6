# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures of the simulation, without a screen."""

from __future__ import annotations

import mujoco
import numpy as np

from .installed import SimulatorError, no_rendering
from .world import World


class Cameras:
    """The cameras of a world's arm, by name; used in one thread.

    Raises SimulatorError where there is nothing to render with.
    """

    def __init__(self, world: World, height: int, width: int) -> None:
        model = world.model
        model.vis.global_.offheight, model.vis.global_.offwidth = height, width
        self._data = world.data
        try:
            self._renderer = mujoco.Renderer(model, height, width)
        except Exception as error:  # of many types, from PyOpenGL to MuJoCo's own
            raise SimulatorError(no_rendering(error)) from error
        # Twice as fast without
        self._renderer.scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = 0
        self._renderer.scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = 0
        self._views = {
            name: view.get('model_camera', name) for name, view in world.arm.cameras.items()
        }

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._views)

    def take(self, name: str) -> np.ndarray:
        """Return a picture of a camera as the world is now, uint8 RGB (H, W, 3)."""
        self._renderer.update_scene(self._data, camera=self._views[name])
        return np.array(self._renderer.render())

    def close(self) -> None:
        self._renderer.close()
