# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Processes that belong to a command, and its own share of listening."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

from rclpy.executors import SingleThreadedExecutor

TOPREWARD = (sys.executable, '-m', 'topreward_ros.cli')
GRACE = 35.0  # for a process to end by itself [s]


def ends_with_terminal() -> bool:
    """Whether a terminal that closes shall end this process: not where that is ignored, as under
    nohup.
    """
    return signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN


class Children:
    """Processes that end with this one, in order."""

    def __init__(self) -> None:
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Children:
        return self

    def start(self, command: list[str], log: IO[str], **environ: str) -> subprocess.Popen[bytes]:
        """Start one; environ comes on top of this process's own."""
        # A group of its own: an interrupt from the keyboard is passed on here, once.
        process = subprocess.Popen(
            command,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # Not the folder they are started in: a rich.py there is not the library
            env={**os.environ, 'PYTHONSAFEPATH': '1', **environ},
        )
        self._processes.append(process)
        return process

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        try:
            for process in self._processes:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=GRACE)
        finally:  # interrupted once more, or out of patience
            for process in self._processes:
                process.kill()
                process.wait()


def listen(executor: SingleThreadedExecutor, seconds: float) -> None:
    """Spin for so long."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        executor.spin_once(timeout_sec=left)


def tail(log: Path, lines: int = 8) -> str:
    """The last lines of a log."""
    return '\n'.join(log.read_text(encoding='utf-8', errors='replace').splitlines()[-lines:])
