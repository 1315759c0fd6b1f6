# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The signals that end a process."""

from __future__ import annotations

import signal


def ends_with_terminal() -> bool:
    """Return whether closing the terminal ends this process; under nohup it does not."""
    return signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN
