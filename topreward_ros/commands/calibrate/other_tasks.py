# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recordings of other tasks, asked about the calibrated ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from topreward_ros.recordings.clip import ClipError
from topreward_ros.recordings.recording import Recording, folded


def asked_about(
    others: Sequence[Recording], recordings: Sequence[Recording], task: str | None
) -> list[Recording]:
    """Return the others as failures at the tasks of the recordings, in turn.

    task, if given, is the text that replaces every recording's own, which is then unknown. Raises
    ClipError for one whose own task is the only calibrated one.
    """
    first = {folded(each.task): each.task for each in reversed(recordings) if each.task}
    tasks = list(reversed(first.values()))
    asked = []
    for number, each in enumerate(others):
        possible = [text for text in tasks if task or folded(text) != folded(each.task)]
        if not possible and not each.clip.broken:
            raise ClipError(
                f'{each.name} is given with --other-tasks, but its task is the calibrated one, '
                f'"{each.task}": expected another task'
            )
        asked.append(
            dataclasses.replace(
                each,
                name=f'other_tasks/{each.name}',
                task=possible[number % len(possible)] if possible else each.task,
                is_success=False,
            )
        )
    return asked
