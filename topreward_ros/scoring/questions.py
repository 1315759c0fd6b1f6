# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The questions a model is asked about a video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from topreward_ros.errors import TaskError

MAX_TASK_CHARACTERS = 1000


@dataclass(frozen=True)
class Question:
    """A text that ends where the model has to say one of two words.

    template holds "{task}" once; true and false are the two answers, one token each.
    """

    template: str
    true: str = ' True'
    false: str = ' False'

    def ask(self, task: str) -> str:
        """The question about this task; the task is data, so braces in it stay as they are."""
        before, after = self.template.split('{task}')
        return before + check_task(task) + after


def check_task(task: str) -> str:
    """The task without blanks around it; TaskError if it cannot be asked about."""
    if not isinstance(task, str):
        raise TaskError(f'a task is a text, not {type(task).__name__}')
    if len(task) > MAX_TASK_CHARACTERS:
        raise TaskError(
            f'the task has {len(task)} characters; at most {MAX_TASK_CHARACTERS} are taken: '
            'say in a sentence what the robot should have done'
        )
    task = task.strip()
    if not task:
        raise TaskError('the task is blank: say in a sentence what the robot should have done')
    try:
        task.encode('utf-8')
    except UnicodeEncodeError as error:
        raise TaskError(f'the task is not valid Unicode: {error.reason}') from error
    return task


def check_tasks(tasks: str | Sequence[str]) -> tuple[str, ...]:
    """One task or several, each checked; TaskError if there is none."""
    checked = tuple(check_task(task) for task in ([tasks] if isinstance(tasks, str) else tasks))
    if not checked:
        raise TaskError('an episode needs a task')
    return checked
