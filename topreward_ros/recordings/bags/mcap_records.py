# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The records of MCAP (https://mcap.dev/spec) that a bag needs, and the packing of its chunks."""

from __future__ import annotations

import struct
import sys
from binascii import crc32
from collections.abc import Iterator
from enum import IntEnum
from typing import Any, NamedTuple

from lz4.frame import LZ4FrameDecompressor  # type: ignore[import-untyped]

from .errors import UnsupportedBagError
from .message_types import Definition

if sys.version_info >= (3, 14):
    from compression.zstd import ZstdDecompressor
else:
    from backports.zstd import ZstdDecompressor

MAGIC = b'\x89MCAP0\r\n'
HEAD = struct.Struct('<BQ')  # of every record: opcode and length of what follows
MESSAGE_HEAD = struct.Struct('<HIQQ')  # channel, sequence, log time, publish time [ns]
DECOMPRESSORS = {'zstd': ZstdDecompressor, 'lz4': LZ4FrameDecompressor}
LARGEST_CHUNK = 1 << 30  # bytes when unpacked; recorders write about a million
LARGEST_TIME = 2**63 - 1  # [ns], as in ROS


class Op(IntEnum):
    """What a record is, as far as a bag needs it."""

    INVALID = 0
    HEADER = 1
    FOOTER = 2
    SCHEMA = 3
    CHANNEL = 4
    MESSAGE = 5
    CHUNK = 6
    MESSAGE_INDEX = 7
    CHUNK_INDEX = 8
    STATISTICS = 11
    DATA_END = 15


class DamagedRecordError(ValueError):
    """A record that is cut short, or whose content cannot be right."""


class Channel(NamedTuple):
    """A topic of one publisher, or of several alike; schema 0 is none."""

    schema: int
    topic: str
    encoding: str
    metadata: dict[str, str]


class Message(NamedTuple):
    """A message with its time of reception [ns]."""

    channel: int
    time: int
    data: bytes


class Fields:
    """Reads the fields of a record one after another; raises DamagedRecordError past its end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def numbers(self, form: str) -> tuple[Any, ...]:
        """Return numbers; form as for struct, little endian."""
        size = struct.calcsize(f'<{form}')
        return struct.unpack(f'<{form}', self._take(size))

    def blob(self) -> bytes:
        return self._take(self.numbers('I')[0])

    def text(self) -> str:
        return self.blob().decode('utf-8', 'replace')

    def texts(self) -> dict[str, str]:
        """Return a map of texts."""
        inner = Fields(self.blob())
        result = {}
        while inner._at < len(inner._data):
            key = inner.text()
            result[key] = inner.text()
        return result

    def all(self, form: str) -> Iterator[tuple[Any, ...]]:
        """Yield numbers until the end."""
        while self._at < len(self._data):
            yield self.numbers(form)

    def _take(self, size: int) -> bytes:
        start, self._at = self._at, self._at + size
        if self._at > len(self._data):
            raise DamagedRecordError('a record ends within its fields')
        return self._data[start : self._at]


def records(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield opcode and content of each record; raises DamagedRecordError where one is cut."""
    at = 0
    while at < len(data):
        if at + HEAD.size > len(data):
            raise DamagedRecordError('a record is cut short')
        opcode, length = HEAD.unpack_from(data, at)
        at += HEAD.size
        if opcode == Op.INVALID or length > len(data) - at:
            raise DamagedRecordError('a record has an impossible length')
        yield opcode, data[at : at + length]
        at += length


def schema_of(content: bytes) -> tuple[int, Definition]:
    fields = Fields(content)
    (number,) = fields.numbers('H')
    return number, Definition(fields.text(), fields.text(), fields.text())


def channel_of(content: bytes) -> tuple[int, Channel]:
    fields = Fields(content)
    number, schema = fields.numbers('HH')
    return number, Channel(schema, fields.text(), fields.text(), fields.texts())


def message_of(content: bytes) -> Message:
    if len(content) < MESSAGE_HEAD.size:
        raise DamagedRecordError('a message is cut short')
    channel, _, time, _ = MESSAGE_HEAD.unpack_from(content)
    if time > LARGEST_TIME:
        raise DamagedRecordError(f'a message has the time {time} ns')
    return Message(channel, time, content[MESSAGE_HEAD.size :])


def statistics_of(content: bytes) -> tuple[tuple[int, int], dict[int, int]]:
    """Return the first and the last time [ns], and the number of messages by channel."""
    fields = Fields(content)
    *_, start, end = fields.numbers('QHIIIIQQ')
    return (start, end), dict(Fields(fields.blob()).all('HQ'))


def unpack(data: bytes, compression: str, size: int, crc: int = 0, whole: bool = True) -> bytes:
    """Return the records of a chunk, `size` bytes; with whole False what a part of it holds.

    Raises DamagedRecordError, and UnsupportedBagError for an unknown compression.
    """
    if size > LARGEST_CHUNK:
        raise DamagedRecordError(f'it says that it holds {size} bytes')
    if compression and compression not in DECOMPRESSORS:
        raise UnsupportedBagError(f'its chunks are compressed by {compression!r}: not supported')
    raw = _decompress(data, compression, size) if compression else data
    if whole and len(raw) != size:
        raise DamagedRecordError(f'it holds {len(raw)} of {size} bytes')
    if whole and crc and crc32(raw) != crc:
        raise DamagedRecordError('its checksum differs')
    return raw


def unpack_message(data: bytes) -> bytes:
    """Return a message that was packed alone (zstd); raises DamagedRecordError."""
    decompressor = ZstdDecompressor()
    try:
        raw: bytes = decompressor.decompress(data, LARGEST_CHUNK)
    except Exception as error:
        raise DamagedRecordError(f'it cannot be decompressed: {error}') from error
    if not decompressor.eof:
        raise DamagedRecordError('it is cut short, or too large')
    return raw


def _decompress(data: bytes, compression: str, size: int) -> bytes:
    raw = bytearray()
    try:
        while data and len(raw) < size:
            decompressor = DECOMPRESSORS[compression]()
            raw += decompressor.decompress(data, size - len(raw))
            data = decompressor.unused_data if decompressor.eof else b''
    except Exception as error:  # ZstdError, RuntimeError of lz4, ...
        raise DamagedRecordError(f'it cannot be decompressed: {error}') from error
    return bytes(raw)
