# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What tells a recording from another one of the same name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def state_of(path: Path) -> dict[str, Any]:
    """What changes when the file, or a file of the folder, is another one."""
    files = [path] if path.is_file() else [file for file in path.iterdir() if file.is_file()]
    stats = [file.stat() for file in files]
    newest = max((stat.st_mtime_ns for stat in stats), default=0)
    return {'files': len(files), 'bytes': sum(s.st_size for s in stats), 'modified': newest}


def digest(values: Mapping[str, Any]) -> str:
    """The same for the same values of plain types."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]
