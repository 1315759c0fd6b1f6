# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whose turn it is to use the device: one at a time in a process, in the order of asking."""

from __future__ import annotations

import threading
from collections import deque
from types import TracebackType


class Turns:
    """A lock that is given in the order in which it was asked for."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[object] = deque()

    def __enter__(self) -> None:
        ticket = object()
        with self._changed:
            self._waiting.append(ticket)
            try:
                while self._waiting[0] is not ticket:
                    self._changed.wait()
            except BaseException:  # whoever gives up waiting must not be waited for
                self._waiting.remove(ticket)
                self._changed.notify_all()
                raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._changed:
            self._waiting.popleft()
            self._changed.notify_all()


# For everything that several threads might do to the device at once
DEVICE = Turns()
