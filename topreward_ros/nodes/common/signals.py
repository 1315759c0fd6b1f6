# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which signals end a process."""

from __future__ import annotations

import signal


def ends_with_terminal() -> bool:
    """Whether a terminal that closes shall end this process: not where that is ignored, as under
    nohup.
    """
    return signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN
