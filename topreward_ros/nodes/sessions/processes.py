# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Nodes in processes of their own that end with this one."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

GRACE = 35.0  # for a process to end by itself [s]


class Children:
    """Processes that end with this one, in order."""

    def __init__(self) -> None:
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Children:
        return self

    def start_node(
        self,
        module: str,
        log: IO[str],
        *,
        namespace: str = '',
        remappings: Mapping[str, str] | None = None,
        parameters: Mapping[str, Any] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a node's module; environ comes on top of this process's own."""
        command = [sys.executable, '-m', f'topreward_ros.nodes.{module}', '--ros-args']
        rules = {**({'__ns': namespace} if namespace else {}), **(remappings or {})}
        for old, new in rules.items():
            command += ['-r', f'{old}:={new}']
        for name, value in (parameters or {}).items():
            command += ['-p', f'{name}:={json.dumps(value)}']
        # A group of its own: an interrupt from the keyboard is passed on here, once.
        process = subprocess.Popen(
            command,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # Not the folder they are started in: a rich.py there is not the library
            env={**os.environ, 'PYTHONSAFEPATH': '1', **(environ or {})},
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


def tail(log: Path, lines: int = 8) -> str:
    """The last lines of a log."""
    return '\n'.join(log.read_text(encoding='utf-8', errors='replace').splitlines()[-lines:])
