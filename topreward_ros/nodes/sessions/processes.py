# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Child processes that run nodes and end with this process."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from topreward_ros import interrupts

# The head of an entry in a log: of rclpy, or of a node that prints why it cannot start
ENTRY = re.compile(r'(\[[A-Z]+\] \[[\d.]+\] \[[^\]]*\]|[a-z_]+): ')
NO_ERROR = re.compile(r'\[(DEBUG|INFO|WARN)\]')
GRACE = 10.0  # for a process to end after an interrupt [s]


class ChildProcesses:
    """Child processes of a context; at its end they are interrupted, and killed after GRACE."""

    def __init__(self) -> None:
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> ChildProcesses:
        interrupts.set_has_children(True)
        return self

    def start_node(
        self,
        module: str,
        log: IO[str],
        *,
        namespace: str = '',
        remappings: Mapping[str, str] | None = None,
        parameters: Mapping[str, Any] | None = None,
        params_file: Path | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start the module of a node; environ extends the environment of this process.

        parameters take precedence over those in params_file.
        """
        command = [sys.executable, '-m', f'topreward_ros.nodes.{module}', '--ros-args']
        rules = {**({'__ns': namespace} if namespace else {}), **(remappings or {})}
        for old, new in rules.items():
            command += ['-r', f'{old}:={new}']
        if params_file is not None:
            command += ['--params-file', str(params_file)]
        for name, value in (parameters or {}).items():
            command += ['-p', f'{name}:={json.dumps(value)}']
        with interrupts.deferred():  # a process that is not in the list would outlive this one
            # A separate session: a keyboard interrupt must reach the node once, from __exit__.
            process = subprocess.Popen(
                command,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                # Import no modules from the current folder: a rich.py there would hide the library.
                env={**os.environ, 'PYTHONSAFEPATH': '1', **(environ or {})},
            )
            self._processes.append(process)
        return process

    def __exit__(self, *_: object) -> None:
        try:
            for process in self._processes:
                if process.poll() is None:
                    process.send_signal(signal.SIGINT)
            for process in self._processes:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=GRACE)
        finally:  # a second interrupt, or a process that did not end
            with interrupts.deferred():
                for process in self._processes:
                    process.kill()
                    process.wait()
                interrupts.set_has_children(False)


def end_of(what: str, process: subprocess.Popen[bytes], log: Path, is_kept: bool = True) -> str:
    """Return how and why a process has ended, such as `the node ended (exit code 1): ...`.

    Where the log has no reason, it is named if it is kept.
    """
    reason = reason_in(log)
    see = f'; see {log}' if is_kept else ''
    return f'{what} ({_code_of(process)})' + (f': {reason}' if reason else see)


def _code_of(process: subprocess.Popen[bytes]) -> str:
    """Return the signal or the exit code by which a process has ended, such as `SIGKILL`."""
    code = process.returncode
    if code >= 0:
        return f'exit code {code}'
    try:
        return signal.Signals(-code).name
    except ValueError:  # one of the real-time signals
        return f'signal {-code}'


def reason_in(log: Path, lines: int = 8) -> str:
    """Return the newest error of a log without level, time and name.

    Without one, the last lines if they are not entries of the log, such as a traceback; else ''.
    """
    text = log.read_text(encoding='utf-8', errors='replace').splitlines()
    heads = {k: head for k, line in enumerate(text) if (head := ENTRY.match(line))}
    errors = [k for k, head in heads.items() if not NO_ERROR.match(head[0])]
    if not errors:
        newest = max(heads, default=-1)
        return '\n'.join(text[newest + 1 :][-lines:])
    newest = errors[-1]
    end = next((k for k in heads if k > newest), len(text))
    return '\n'.join([text[newest][heads[newest].end() :], *text[newest + 1 : end]])
