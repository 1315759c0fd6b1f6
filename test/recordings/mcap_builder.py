# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Write MCAP files record by record, with or without everything that the format leaves optional."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

import lz4.frame
from rosbags.rosbag2.storage_mcap import zstd

from .bag_builder import JAZZY, Recorded

MAGIC = b'\x89MCAP0\r\n'
PACKERS: dict[str, Any] = {'': bytes, 'zstd': zstd.compress, 'lz4': lz4.frame.compress}


def record(opcode: int, form: str, *fields: Any) -> bytes:
    """Return a record; s in form is a text or bytes with its length, other letters are numbers."""
    content = b''
    for letter, value in zip(form, fields, strict=True):
        if letter == 's':
            data = value.encode() if isinstance(value, str) else value
            content += struct.pack('<I', len(data)) + data
        else:
            content += struct.pack(f'<{letter}', value)
    return struct.pack('<BQ', opcode, len(content)) + content


def message_record(channel: int, time: int, data: bytes) -> bytes:
    return (
        record(5, 'HIQQ', channel, 0, time, time)[:1]
        + struct.pack('<QHIQQ', 22 + len(data), channel, 0, time, time)
        + data
    )


def _span(stored: Sequence[tuple[int, int, bytes]]) -> tuple[int, int]:
    times = [time for _, time, _ in stored]
    return min(times), max(times)


def write_mcap(
    file: Path,
    messages: Iterable[Recorded],
    *,
    chunk: int = 3,
    compression: str = '',
    index: bool = True,
    summary: bool = True,
    crc: bool = True,
    times: bool = True,
    qos: Sequence[str] = ('',),
    definition: str | None = None,
    encoding: str = 'ros2msg',
) -> Path:
    """Write a file with this many messages per chunk; 0 is without chunks.

    Each text of qos makes one more channel of each topic, which take turns. Without summary a file
    ends as the format allows it, with neither statistics nor index. Without times the chunks say
    that they begin and end at 0, which the format does not allow. definition replaces Jazzy's.
    """
    messages = list(messages)
    schemas: dict[str, int] = {}
    channels: dict[tuple[str, str], int] = {}
    heads: list[bytes] = []
    stored: list[tuple[int, int, bytes]] = []
    for number, (topic, kind, time, data) in enumerate(messages):
        if kind not in schemas:
            schemas[kind] = len(schemas) + 1
            text = definition or JAZZY.generate_msgdef(kind, ros_version=2)[0]
            heads.append(record(3, 'Hsss', schemas[kind], kind, encoding, text))
        key = topic, qos[number % len(qos)]
        if key not in channels:
            channels[key] = len(channels) + 1
            metadata = record(0, 'ss', 'offered_qos_profiles', key[1])[9:]
            heads.append(record(4, 'HHsss', channels[key], schemas[kind], topic, 'cdr', metadata))
        stored.append((channels[key], time, data))
    out = bytearray(MAGIC + record(1, 'ss', 'ros2', 'test'))
    chunk_indexes: list[bytes] = []
    if not chunk:
        out += b''.join(heads) + b''.join(message_record(*each) for each in stored)
    for start in range(0, len(stored) if chunk else 0, chunk or 1):
        part = stored[start : start + chunk]
        records = b''.join(heads) if not start else b''
        indexes: dict[int, bytes] = {}
        for channel, time, data in part:
            entry = struct.pack('<QQ', time, len(records))
            indexes[channel] = indexes.get(channel, b'') + entry
            records += message_record(channel, time, data)
        span = _span(part) if times else (0, 0)
        sizes = *span, len(records), crc32(records) if crc else 0
        packed = PACKERS[compression](records)
        whole = struct.pack('<QQQI', *sizes) + struct.pack('<I', len(compression))
        whole += compression.encode() + struct.pack('<Q', len(packed)) + packed
        at = len(out)
        out += struct.pack('<BQ', 6, len(whole)) + whole
        length, offsets, here = len(out) - at, b'', len(out)
        for channel, entries in indexes.items() if index else ():
            offsets += struct.pack('<HQ', channel, len(out))
            out += record(7, 'Hs', channel, entries)
        chunk_indexes.append(
            record(
                8, 'QQQQsQsQQ', *span, at, length, offsets, len(out) - here,
                compression, len(packed), len(records),
            )
        )  # fmt: skip
    out += record(15, 'I', 0)
    begin = len(out) if summary else 0
    if summary:
        counts = Counter(channel for channel, _, _ in stored)
        table = b''.join(struct.pack('<HQ', *each) for each in counts.items())
        out += b''.join(heads)
        out += record(
            11, 'QHIIIIQQs', len(stored), len(schemas), len(channels), 0, 0, len(chunk_indexes),
            *_span(stored), table,
        )  # fmt: skip
        out += b''.join(chunk_indexes)
    footer = struct.pack('<BQQQ', 2, 20, begin, 0)
    checksum = crc32(bytes(out[begin:]) + footer) if summary and crc else 0
    file.write_bytes(out + footer + struct.pack('<I', checksum) + MAGIC)
    return file
