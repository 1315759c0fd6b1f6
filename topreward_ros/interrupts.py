# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How the `topreward` command answers an interrupt from the keyboard, at any moment.

An exception does not always get through: C extensions that are being imported lose it, or turn it
into an ImportError or an abort, and rclpy into an error of its own.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

EXIT_INTERRUPTED = 130  # as a shell has it
MESSAGE = 'topreward: interrupted'
IMPORT_SYSTEM = '<frozen importlib._bootstrap>'

_received = False
_is_deferred = False
_has_children = False


@contextmanager
def handled() -> Iterator[None]:
    """Handle SIGINT within this; only the main thread can, and elsewhere nothing changes."""
    global _received  # noqa: PLW0603
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _received = False
    before = signal.signal(signal.SIGINT, _on_interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def deferred() -> Iterator[None]:
    """Raise an interrupt of `handled` only at the end of this: what is begun here is whole."""
    global _is_deferred  # noqa: PLW0603
    before = _received
    _is_deferred = True
    try:
        yield
    finally:
        _is_deferred = False
    if _received and not before:
        raise KeyboardInterrupt


def was_received() -> bool:
    """Whether there has been an interrupt since `handled` was entered."""
    return _received


def is_behind(error: BaseException) -> bool:
    """Whether an interrupt was made into this error on its way."""
    # C extensions keep no cause, but they raise only these two
    lost = _received and isinstance(error, ImportError | SystemError)
    return lost or comes_from(error, KeyboardInterrupt)


def comes_from(error: BaseException, kind: type[BaseException]) -> bool:
    """Whether the error, or one that it was made from or raised after, is of this kind."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, kind):
        cause = cause.__cause__ or cause.__context__
    return cause is not None


def set_has_children(value: bool) -> None:
    """Note whether there are child processes, which an abrupt exit would leave behind."""
    global _has_children  # noqa: PLW0603  a process has one
    _has_children = value


def _on_interrupt(_number: int, frame: FrameType | None) -> None:
    global _received  # noqa: PLW0603
    _received = True
    if _is_deferred:
        return
    if _is_importing(frame) and not _has_children:
        print(MESSAGE, file=sys.stderr, flush=True)
        os._exit(EXIT_INTERRUPTED)
    raise KeyboardInterrupt


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename == IMPORT_SYSTEM:
            return True
        frame = frame.f_back
    return False
