# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Episodes of the small world: an arm over a table moves a block; true progress is known.

Lengths are in table widths; x to the right and y towards the viewer, both in [0, 1].
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .planning import arrange_table, plan_attempt
from .table import Point, State, progress
from .tasks import KINDS, Task


def check_kind(kind: str) -> None:
    """Raise ValueError for an unknown kind of episode."""
    if kind not in KINDS:
        raise ValueError(f'kind is {kind!r}; expected one of {", ".join(KINDS)}')


class SceneEpisode:
    """One attempt at a task, determined by seed, kind and task.

    `task` is the given task; `done` is the one that the arm does, which differs for some kinds.
    `seconds` is the duration with a short rest at the end, after which the state is constant.
    """

    def __init__(self, seed: int, kind: str = 'success', task: Task | None = None) -> None:
        """Raises ValueError for an unknown kind."""
        check_kind(kind)
        random = np.random.default_rng([seed, KINDS.index(kind)])
        self.seed = seed
        self.kind = kind
        self.appearance = int(random.integers(2**31))
        self.start, self.done, self.task = arrange_table(random, kind, task)
        self._waypoints, self._grasp, self._release = plan_attempt(
            random, kind, self.start, self.done
        )
        self.seconds = self._waypoints[-1].time + 0.6

    @property
    def is_success(self) -> bool:
        return self.kind == 'success'

    def state(self, time: float) -> State:
        """Return the state of the world at a time [s] since the beginning."""
        gripper, opening, height = self._gripper(time)
        blocks = dict(self.start.blocks)
        moved_height = 0.0
        if time >= self._grasp:
            at, _, lifted = self._gripper(min(time, self._release))
            blocks[self.done.object] = at
            moved_height = lifted
        return replace(
            self.start,
            blocks=blocks,
            gripper=gripper,
            gripper_height=max(height, 0.02),
            opening=opening,
            moved=self.done.object,
            moved_height=moved_height,
        )

    def progress(self, time: float, task: Task | None = None) -> float:
        """Return the true progress of the given task, or of another one, at a time [s]."""
        return progress(task or self.task, self.start, self.state(time))

    def times(self, frames: int) -> np.ndarray:
        """Return the times [s] of `frames` frames, evenly spaced from beginning to end."""
        return np.linspace(0, self.seconds, frames)

    def _gripper(self, time: float) -> tuple[Point, float, float]:
        points = self._waypoints
        if time >= points[-1].time:
            last = points[-1]
            return last.gripper, last.opening, last.height
        k = max(1, int(np.searchsorted([point.time for point in points], time, side='right')))
        before, after = points[k - 1], points[k]
        share = (time - before.time) / max(after.time - before.time, 1e-9)
        smooth = 0.6 * share + 0.4 * share * share * (3 - 2 * share)
        mix = [
            (1 - smooth) * a + smooth * b
            for a, b in zip(
                (*before.gripper, before.opening, before.height),
                (*after.gripper, after.opening, after.height),
                strict=True,
            )
        ]
        return (mix[0], mix[1]), mix[2], mix[3]
