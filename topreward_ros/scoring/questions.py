# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Questions about a video, and checks of task texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from topreward_ros.errors import ModelError, TaskError

from .score import Score

MAX_TASK_CHARACTERS = 1000


class Tokens(Protocol):
    """What turns the pieces of a question into token ids."""

    def text(self, text: str) -> list[int]:
        """Return the ids of plain text."""
        ...

    def special(self, token: str) -> int:
        """Return the id of a special token; ModelError where the model has none."""
        ...


class VideoQuestion(Protocol):
    """What follows the video of an episode, and how its score is read off the next token."""

    @property
    def reward_model(self) -> str:
        """Whose question it is, by its name in messages."""
        ...

    @property
    def layout(self) -> str:
        """Name that changes with the ids of the prompt, as scores are then not comparable."""
        ...

    def ids(self, tokens: Tokens, task: str) -> list[int]:
        """Return the ids after the video; TaskError as `check_task`."""
        ...

    def answers(self, tokens: Tokens) -> tuple[int, ...]:
        """Return the answers' ids; ModelError where one is not a single token."""
        ...

    def score(self, frames: int, log_probs: Sequence[float]) -> Score:
        """Return the score of so many frames; log_probs are those of the answers [nat]."""
        ...


@dataclass(frozen=True)
class Question:
    """A text whose next token is one of two answers.

    template contains "{task}" once; true and false are the answers, one token each.
    """

    template: str
    true: str = ' True'
    false: str = ' False'
    layout: str = 'topreward-1'
    reward_model: str = 'topreward'

    def ask(self, task: str) -> str:
        """Return the question about a task, in which braces have no special meaning."""
        before, after = self.template.split('{task}')
        return before + check_task(task) + after

    def ids(self, tokens: Tokens, task: str) -> list[int]:
        """See `VideoQuestion`."""
        return tokens.text(self.ask(task))

    def answers(self, tokens: Tokens) -> tuple[int, ...]:
        """See `VideoQuestion`."""
        return single_tokens(tokens, (self.true, self.false))

    def score(self, frames: int, log_probs: Sequence[float]) -> Score:
        """See `VideoQuestion`."""
        true, false = log_probs
        return Score(frames, true, false)


def single_tokens(tokens: Tokens, answers: Sequence[str]) -> tuple[int, ...]:
    """Return the ids of answers; ModelError where one is not a single token."""
    ids = [tokens.text(answer) for answer in answers]
    if any(len(answer) != 1 for answer in ids):
        named = ' or '.join(map(repr, answers))
        raise ModelError(
            f'the tokenizer splits {named} into several tokens; the question needs answers of one '
            'token each'
        )
    return tuple(answer[0] for answer in ids)


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
