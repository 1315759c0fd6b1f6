# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A reset of several steps in order."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.node import Node

from .home_motion import HomeMotion
from .reset import Reset
from .settings import ResetSettings
from .trigger_reset import TriggerReset
from .unfinished_scene import UnfinishedScene

# Constructors, by the names in the parameter reset
RESETS: dict[str, Callable[[Node, ResetSettings], Reset]] = {
    'trigger': TriggerReset,
    'home_motion': HomeMotion,
    'unfinished': UnfinishedScene,
}


class ResetSteps:
    """Runs the steps of the parameter reset one after the other; a failure ends them."""

    def __init__(self, node: Node, settings: ResetSettings) -> None:
        names = settings.reset_steps
        self._resets: dict[str, Reset] = {}
        try:
            for name in dict.fromkeys(names):
                self._resets[name] = RESETS[name](node, settings)
        except BaseException:
            self.close()
            raise
        self._steps = [self._resets[name] for name in names]
        self._current = 0
        self._task = ''

    @property
    def phase(self) -> str:
        return self._steps[self._current].phase

    @property
    def distance(self) -> float:
        return self._steps[self._current].distance

    def begin(self, task: str) -> None:
        self._task = task
        self._current = 0
        self._steps[0].begin(task)

    def is_done(self) -> bool:
        if not self._steps[self._current].is_done():
            return False
        if self._current + 1 == len(self._steps):
            return True
        self._current += 1
        self._steps[self._current].begin(self._task)
        return False

    def stop(self) -> str:
        return '; '.join(filter(None, [reset.stop() for reset in self._resets.values()]))

    def close(self) -> None:
        for reset in self._resets.values():
            reset.close()
