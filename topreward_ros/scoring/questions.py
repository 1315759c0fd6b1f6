# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Questions about a video, and checks of task texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from topreward_ros.errors import TaskError

MAX_TASK_CHARACTERS = 1000


@dataclass(frozen=True)
class Question:
    """A text whose next token is one of two answers.

    template contains "{task}" once; true and false are the answers, one token each.
    """

    template: str
    true: str = ' True'
    false: str = ' False'

    def ask(self, task: str) -> str:
        """Return the question about a task, in which braces have no special meaning."""
        before, after = self.template.split('{task}')
        return before + check_task(task) + after


def check_task(task: str) -> str:
    """Return the task without surrounding whitespace; TaskError if it is not a valid task text."""
    if not isinstance(task, str):
        raise TaskError(f'the task is a {type(task).__name__}; expected a text')
    if len(task) > MAX_TASK_CHARACTERS:
        raise TaskError(
            f'the task has {len(task)} characters; expected at most {MAX_TASK_CHARACTERS}: '
            'describe in a sentence what the robot should have done'
        )
    task = task.strip()
    if not task:
        raise TaskError('the task is blank: describe in a sentence what the robot should have done')
    try:
        task.encode('utf-8')
    except UnicodeEncodeError as error:
        raise TaskError(f'the task is not valid Unicode: {error.reason}') from error
    return task


def printable(task: str) -> str:
    """Return a task for a log: in one line, and without what a terminal would act on."""
    return ''.join(each if each.isprintable() else ' ' for each in task)


def check_tasks(tasks: str | Sequence[str]) -> tuple[str, ...]:
    """Return one task or several, each checked; TaskError if there is none."""
    checked = tuple(check_task(task) for task in ([tasks] if isinstance(tasks, str) else tasks))
    if not checked:
        raise TaskError('an episode needs a task')
    return checked
