# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which task comes next."""

from __future__ import annotations

import random
from collections.abc import Sequence


class TaskList:
    """Tasks in order, or shuffled anew for every round; each comes once a round."""

    def __init__(self, tasks: Sequence[str], order: str, seed: int = 0) -> None:
        """order is "in_order" or "shuffled"."""
        self._tasks = tuple(tasks)
        self._random = random.Random(seed) if order == 'shuffled' else None
        self._left: list[str] = []

    def next(self) -> str:
        """Raises IndexError where there are none."""
        if not self._left:
            self._left = list(self._tasks)
            if self._random:
                self._random.shuffle(self._left)
        return self._left.pop(0)
