# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Small environments: one whose picture shows what was done, and one that shows a film."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np


class Lamp(gymnasium.Env[np.ndarray, int]):
    """Each action 1 makes the picture brighter, from black to white in `levels` steps."""

    render_mode = 'rgb_array'

    def __init__(self, levels: int = 10, side: int = 64) -> None:
        self.observation_space = gymnasium.spaces.Box(0, 1, (1,))
        self.action_space = gymnasium.spaces.Discrete(2)
        self._levels, self._side, self._level = levels, side, 0
        self.tasks = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self._level = 0
        self.tasks += 1
        return self._observed(), {'kept': 1}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self._level = min(self._levels, self._level + int(action))
        return self._observed(), -7.0, False, False, {}

    def render(self) -> Any:
        picture = np.full((self._side, self._side, 3), 0, np.uint8)
        picture[: self._side * self._level // self._levels] = 255
        return picture

    def _observed(self) -> np.ndarray:
        return np.array([self._level / self._levels], np.float32)


class Film(gymnasium.Env[np.ndarray, int]):
    """Shows pictures one after the other, whatever is done."""

    render_mode = 'rgb_array'

    def __init__(self, pictures: Sequence[np.ndarray]) -> None:
        self.observation_space = gymnasium.spaces.Box(0, 1, (1,))
        self.action_space = gymnasium.spaces.Discrete(1)
        self._pictures, self._shown = pictures, 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self._shown = 0
        return np.zeros(1, np.float32), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self._shown += 1
        is_over = self._shown == len(self._pictures) - 1
        return np.zeros(1, np.float32), 0.0, False, is_over, {}

    def render(self) -> Any:
        return self._pictures[self._shown]
