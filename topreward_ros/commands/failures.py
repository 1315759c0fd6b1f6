# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How a command tells that one of several recordings failed: a line on the error stream."""

from __future__ import annotations

import sys


def tell_failure(name: str, error: Exception) -> None:
    """Print why something of this name failed."""
    print(named(name, error), file=sys.stderr, flush=True)


def named(name: str, error: Exception) -> str:
    """Return the reason, with the name of what failed unless the reason has it."""
    reason = str(error) or type(error).__name__
    return reason if name in reason else f'{name}: {reason}'
