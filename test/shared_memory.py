# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Shared memory that Fast DDS leaves behind where a process is killed, as tests kill nodes."""

from __future__ import annotations

import fcntl
from pathlib import Path

SHARED = Path('/dev/shm')
LOCK = '_el'  # the file beside a segment that its process holds a lock on, while it lives


def segment_of(lock: Path) -> Path | None:
    """Return the segment that a file is the lock of; None for other files.

    Ports are none: they belong to several processes, and are small.
    """
    name = lock.name
    if not name.startswith('fastdds_') or not name.endswith(LOCK) or 'port' in name:
        return None
    return lock.with_name(name.removesuffix(LOCK))


def remove_abandoned() -> None:
    """Remove the segments whose process has ended."""
    for lock in SHARED.glob(f'*{LOCK}'):
        if (segment := segment_of(lock)) is None:
            continue
        try:
            with lock.open('rb') as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                segment.unlink(missing_ok=True)
                lock.unlink()
        except OSError:  # it is held, of another user, or gone
            continue
