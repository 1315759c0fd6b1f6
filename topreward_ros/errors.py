# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Errors a user can act on: each says what was wrong, what was expected and what to do."""

from typing import ClassVar

EXIT_INTERRUPTED = 130  # as a shell has it
NOT_A_NUMBER = (
    'the model answered with something that is not a number: its numbers overflow in this format; '
    'use dtype bfloat16 or float32'
)


class TopRewardError(Exception):
    """The base of every error that is the input's fault and not the program's.

    exit_code is what a command ends with for it.
    """

    exit_code: ClassVar[int] = 1


class InterruptedRunError(TopRewardError):
    """A command that was ended before its time; what it had is kept."""

    exit_code = EXIT_INTERRUPTED


class ModelError(TopRewardError):
    """A model that cannot be found, loaded or run as asked."""


class TaskError(TopRewardError):
    """A task text that cannot be asked about."""


class FrameError(TopRewardError):
    """An image that cannot be scored."""
