# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A fragmented MP4 file that was cut while it was written, up to its last whole fragment."""

from __future__ import annotations

import io
from pathlib import Path

from .file_ends import boxes


class WholeFragments(io.FileIO):
    """The file up to the end of its last whole fragment; it ends there.

    Raises ValueError for a file that is not cut, or has no whole fragment.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        with path.open('rb') as file:
            self._end = max((end for kind, end in boxes(file) if kind == b'mdat'), default=0)
        if not 0 < self._end < path.stat().st_size:
            self.close()
            raise ValueError('no fragment was cut')
        super().seek(0)

    def read(self, size: int | None = -1) -> bytes:
        left = max(self._end - self.tell(), 0)
        return super().read(left if size is None or size < 0 else min(size, left)) or b''

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_END:
            offset, whence = self._end + offset, io.SEEK_SET
        return super().seek(offset, whence)
