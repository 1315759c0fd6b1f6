# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whether a media file has the end that is usual for its format, where no length tells of a cut."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

GIF_TRAILER = b';'
OGG_LAST_PAGE = 0x04
TAIL = 70_000  # bytes, in which a page of Ogg begins
HEAD = 65_536  # bytes, in which FLV has its metadata


def boxes(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Yield the kind of each whole box of an MP4 file, and where it ends.

    A box is a size (4 bytes), a kind and content.
    """
    size = file.seek(0, io.SEEK_END)
    place = 0
    while place + 8 <= size:
        file.seek(place)
        head = file.read(16)
        length, kind = int.from_bytes(head[:4], 'big'), head[4:8]
        if length == 1:  # the size is in 8 bytes behind the kind
            length = int.from_bytes(head[8:16], 'big')
        if length < 8 or place + length > size:
            break
        place += length
        yield kind, place


def lacks_end(path: Path, format_name: str) -> bool:
    """Return whether a file lacks the end that writers of its format (FFmpeg's name) put there.

    Some may leave it out. False for formats without one, such as MPEG-TS.
    """
    check = {'gif': _gif, 'flv': _flv, 'ogg': _ogg, 'mov': _mp4}.get(format_name.partition(',')[0])
    if check is None:
        return False
    with path.open('rb') as file:
        return check(file)


def _mp4(file: BinaryIO) -> bool:
    """Fragments without the index behind them, which is optional but FFmpeg's default."""
    kinds = [kind for kind, _ in boxes(file)]
    return b'moof' in kinds and b'mfra' not in kinds


def _gif(file: BinaryIO) -> bool:
    return not _tail(file, 1024).rstrip(b'\0\r\n').endswith(GIF_TRAILER)


def _flv(file: BinaryIO) -> bool:
    """A length of 0 in the metadata, which is filled in at the end."""
    file.seek(0)
    _, found, rest = file.read(HEAD).partition(b'\0\x08duration\0')
    return bool(found) and rest[:8] == bytes(8)


def _ogg(file: BinaryIO) -> bool:
    tail = _tail(file, TAIL)
    page = tail.rfind(b'OggS')
    return page >= 0 and page + 5 < len(tail) and not tail[page + 5] & OGG_LAST_PAGE


def _tail(file: BinaryIO, size: int) -> bytes:
    file.seek(max(0, file.seek(0, io.SEEK_END) - size))
    return file.read()
