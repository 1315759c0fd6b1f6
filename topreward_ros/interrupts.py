# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How a process is ended: by Ctrl-C, SIGTERM or a closed terminal, and when its work is done.

- While nothing has been opened yet, and when everything is closed: at once (`at_once`).
- A command is interrupted by an exception (`handled`). One does not always get through: C
  extensions that are being imported lose it, or turn it into an ImportError or an abort.
- A node only notes the signal (`noted`), and its loop ends: an exception could interrupt any code,
  a stop of an arm included, and rclpy would make an error of its own of it.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

EXIT_INTERRUPTED = 130  # as a shell has it
MESSAGE = 'topreward: interrupted'
IMPORT_SYSTEM = '<frozen importlib._bootstrap>'
CLOSING_TIME = 1.0  # in which a process that shall end gives back what it has [s]
SAME_PRESS = 0.5  # a terminal and a parent process can both pass on one Ctrl-C [s]

_received: int | None = None  # the first signal within `handled` or `noted`
_received_time = 0.0
_is_deferred = False
_has_children = False


def at_once(code: int, message: str = '') -> None:
    """From now on, leave at a signal with this exit code; for a process that has nothing open."""

    def leave_now(_number: int, _frame: FrameType | None) -> None:
        if message:
            print(message, file=sys.stderr, flush=True)
        os._exit(code)

    for number in _signals():
        signal.signal(number, leave_now)


def leave(code: int) -> NoReturn:
    """End the process, whose work is done and whose files are closed.

    Taking down the interpreter would take another second with torch, more with a GPU, and would
    wait for threads that are still loading a model.
    """
    for number in _signals():
        signal.signal(number, signal.SIG_IGN)
    with suppress(BaseException):
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):  # no stream, a closed pipe or stream
            stream.flush()
    os._exit(code)


@contextmanager
def handled() -> Iterator[None]:
    """Raise KeyboardInterrupt at a signal within this; only the main thread can."""
    global _received  # noqa: PLW0603
    _received = None
    with _handlers():
        yield


@contextmanager
def deferred() -> Iterator[None]:
    """Raise an interrupt of `handled` only at the end of this: what is begun here is whole."""
    before = _received
    with _only_noted():
        yield
    if _received is not None and before is None:
        raise KeyboardInterrupt


@contextmanager
def noted() -> Iterator[None]:
    """Only note signals within this; the loop of a node asks `was_received`."""
    with _only_noted(), _handlers():
        yield


def was_received(number: int | None = None) -> bool:
    """Whether there has been a signal to end, or this one, since `handled` or `noted`."""
    return _received is not None if number is None else _received == number


def closing_time() -> float:
    """Return the time that is left for closing, since the signal if there was one [s]."""
    since = time.monotonic() - _received_time if _received is not None else 0.0
    return max(0.0, CLOSING_TIME - since)


def is_behind(error: BaseException) -> bool:
    """Whether an interrupt was made into this error on its way."""
    # C extensions keep no cause, but they raise only these two
    lost = was_received() and isinstance(error, ImportError | SystemError)
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


def _signals() -> list[signal.Signals]:
    """The signals that end a process; under nohup the end of the terminal is none.

    SIGINT always is, though a script that starts a process in the background ignores it there: what
    moves an arm has to answer.
    """
    under_nohup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return [signal.SIGINT, signal.SIGTERM, *([] if under_nohup else [signal.SIGHUP])]


@contextmanager
def _handlers() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():  # only that one can
        yield
        return
    before = {number: signal.signal(number, _on_signal) for number in _signals()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _only_noted() -> Iterator[None]:
    global _is_deferred  # noqa: PLW0603
    before, _is_deferred = _is_deferred, True
    try:
        yield
    finally:
        _is_deferred = before


def _on_signal(number: int, frame: FrameType | None) -> None:
    global _received, _received_time
    is_again = _received is not None
    if not is_again:
        _received, _received_time = number, time.monotonic()
    if _is_deferred or (is_again and time.monotonic() - _received_time < SAME_PRESS):
        return
    if (is_again or _is_importing(frame)) and not _has_children:
        print(MESSAGE, file=sys.stderr, flush=True)
        os._exit(EXIT_INTERRUPTED)
    raise KeyboardInterrupt


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename == IMPORT_SYSTEM:
            return True
        frame = frame.f_back
    return False
