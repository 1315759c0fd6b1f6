# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A fragmented MP4 file that was cut while it was written, up to its last whole fragment."""

from __future__ import annotations

import io
from pathlib import Path


class WholeFragments(io.FileIO):
    """The file up to the end of its last whole fragment; it ends there.

    Raises ValueError for a file that is not cut, or has no whole fragment.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._end = self._last_fragment()
        if not 0 < self._end < path.stat().st_size:
            self.close()
            raise ValueError('no fragment was cut')
        super().seek(0)

    def _last_fragment(self) -> int:
        """Return where the last media data ends; boxes are a size (4 bytes), a kind and content."""
        size = super().seek(0, io.SEEK_END)
        place = end = 0
        while place + 8 <= size:
            super().seek(place)
            head = super().read(16)
            length, kind = int.from_bytes(head[:4], 'big'), head[4:8]
            if length == 1:  # the size is in 8 bytes behind the kind
                length = int.from_bytes(head[8:16], 'big')
            if length < 8 or place + length > size:
                break
            place += length
            end = place if kind == b'mdat' else end
        return end

    def read(self, size: int | None = -1) -> bytes:
        left = max(self._end - self.tell(), 0)
        return super().read(left if size is None or size < 0 else min(size, left)) or b''

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_END:
            offset, whence = self._end + offset, io.SEEK_SET
        return super().seek(offset, whence)
