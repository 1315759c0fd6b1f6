# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Errors that a user can act on: what was wrong, what was expected and what to do."""

from typing import ClassVar

from topreward_ros.interrupts import EXIT_INTERRUPTED

NOT_A_NUMBER = (
    "the model's output is not a number: its values overflow in this dtype; use dtype bfloat16 or "
    'float32'
)


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or its type if the message is empty."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def reason_of(error: BaseException) -> str:
    """Return what an error says, with its type unless it was made for a user; never empty."""
    text = str(error).strip()
    if isinstance(error, TopRewardError) and text:
        return text
    name = type(error).__name__
    return f'{name}: {text}' if text else name


def one_line(error: BaseException, most: int = 300) -> str:
    """Return `reason_of` an error of a library on one line of at most so many characters."""
    text = ' '.join(reason_of(error).split())
    return text if len(text) <= most else f'{text[: most - 1]}…'


class TopRewardError(Exception):
    """Base of all errors caused by the input or the environment, not by the program.

    exit_code is the exit code of a command that fails with it.
    """

    exit_code: ClassVar[int] = 1


class ArgumentsError(TopRewardError):
    """Wrong arguments of a command, found after they were parsed; the exit code is argparse's."""

    exit_code = 2


class InterruptedRunError(TopRewardError):
    """A command that was interrupted; its results so far are kept."""

    exit_code = EXIT_INTERRUPTED


class ModelError(TopRewardError):
    """A model that cannot be found, loaded or run with the given options."""


class WorkerError(TopRewardError):
    """A failure of the thread that runs the models, or in it."""


class NoChatError(ModelError):
    """A model that answers no chat messages, asked for one that does."""


class NoRewardError(TopRewardError):
    """A reward node that does not answer, or not in time."""


class TaskError(TopRewardError):
    """An invalid task text."""


class FrameError(TopRewardError):
    """An image that cannot be scored."""
