# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The order of the tasks."""

from __future__ import annotations

import random
from collections.abc import Sequence


class TaskList:
    """Tasks in order, or shuffled again for every round; each occurs once per round."""

    def __init__(self, tasks: Sequence[str], order: str, seed: int = 0) -> None:
        """Start with the first round; order is "in_order" or "shuffled"."""
        self._tasks = tuple(tasks)
        self._random = random.Random(seed) if order == 'shuffled' else None
        self._remaining: list[str] = []

    def next(self) -> str:
        """Return the next task; raises IndexError if there are none."""
        if not self._remaining:
            self._remaining = list(self._tasks)
            if self._random:
                self._random.shuffle(self._remaining)
        return self._remaining.pop(0)
