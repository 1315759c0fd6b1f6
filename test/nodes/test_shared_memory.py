# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the tests' killed nodes leave in shared memory is removed, and nothing of those that run."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import pytest
import rclpy

from ..shared_memory import remove_abandoned, segment_of
from .harness import Harness


def segments_of(harness: Harness) -> set[Path]:
    """Return the segments whose locks the process of a node has open."""
    files = Path(f'/proc/{harness.process.process.pid}/fd').iterdir()
    segments = set()
    for file in files:
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            segments.add(segment_of(Path(os.readlink(file))))
    return {segment for segment in segments if segment is not None}


@pytest.mark.skipif(
    'fastrtps' not in rclpy.get_rmw_implementation_identifier(), reason='not Fast DDS'
)
def test_only_what_nobody_uses_is_removed(active: Harness, launch: Any) -> None:
    other = launch('-p', 'autostart:=true')
    assert other.until(lambda: other.fact('state') == 'active')
    running, ending = segments_of(active), segments_of(other)
    assert running and ending and not running & ending
    other.process.process.kill()
    other.process.process.wait()
    remove_abandoned()
    assert not any(path.exists() for path in ending)
    assert all(path.exists() for path in running)
    assert active.state() == 'active'
