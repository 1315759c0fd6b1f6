# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where the messages of an MCAP file are, found by walking over its records from the beginning.

The index at the end of a file is not needed: it is missing where recording was cut short, and need
not list everything. Messages are counted by the file's statistics where the message indexes of its
chunks agree with them; otherwise every chunk is unpacked once.
"""

from __future__ import annotations

from binascii import crc32
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple

from . import mcap_records as mcap
from .errors import BrokenBagError, UnsupportedBagError
from .mcap_records import HEAD, MAGIC, DamagedRecordError, Fields, Message, Op
from .message_types import Definition

FOOTER_SIZE = HEAD.size + 20 + len(MAGIC)
CHUNK_HEAD = 128  # bytes that hold what precedes a chunk's records
FIRST_PRIVATE = 0x80  # opcode; none between DATA_END and this is in use
INDEXED = 16  # bytes per message in a message index, after 6 others
RUN = 1 << 20  # bytes of messages outside chunks that are read at once


class Block(NamedTuple):
    """A chunk, or messages outside chunks that follow each other.

    place is where its first record begins, offset and size say where its content is [bytes]; start
    and end are the first and the last time of its messages [ns]. whole is False for a chunk that
    the end of the file cuts.
    """

    place: int
    offset: int
    size: int
    start: int
    end: int
    compression: str = ''
    unpacked: int = 0
    crc: int = 0
    whole: bool = True


@dataclass
class Index:
    """What an MCAP file holds.

    counts are the messages by channel, stated those by the file's own statistics. damaged are
    places [bytes] that cannot be read, with the reason; cut is where a file ends that has no end.
    """

    size: int
    schemas: dict[int, Definition] = field(default_factory=dict)
    channels: dict[int, mcap.Channel] = field(default_factory=dict)
    blocks: list[Block] = field(default_factory=list)
    counts: Counter[int] = field(default_factory=Counter)
    stated: dict[int, int] = field(default_factory=dict)
    damaged: dict[int, str] = field(default_factory=dict)
    cut: int | None = None


def read_index(file: BinaryIO) -> Index:
    """Return the index; raises BrokenBagError or UnsupportedBagError for another kind of file."""
    walk = _Walk(file)
    walk.read_beginning()
    walk.read_summary()
    walk.read_data()
    if not walk.is_certain():
        walk.count()
    return walk.index


def messages_of(file: BinaryIO, block: Block) -> list[Message]:
    """Return the messages of a block in the order of time.

    Raises DamagedRecordError where they cannot all be read, or their times are not the block's.
    """
    messages = [mcap.message_of(data) for op, data in _records(file, block) if op == Op.MESSAGE]
    messages.sort(key=lambda message: message.time)
    if messages and not block.start <= messages[0].time <= messages[-1].time <= block.end:
        raise DamagedRecordError('its messages are of other times than it says')
    return messages


def _records(file: BinaryIO, block: Block) -> Iterator[tuple[int, bytes]]:
    file.seek(block.offset)
    data = file.read(block.size)
    data = mcap.unpack(data, block.compression, block.unpacked, block.crc, block.whole)
    try:
        for opcode, content in mcap.records(data):
            if opcode not in (Op.SCHEMA, Op.CHANNEL, Op.MESSAGE):
                raise DamagedRecordError('a record is of a kind that does not belong there')
            yield opcode, content
    except DamagedRecordError:
        if block.whole:
            raise


class _Walk:
    """Fills an index in one walk over the heads of a file's records."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.index = Index(file.seek(0, 2))
        self._end = self.index.size  # of the records
        self._has_end = False
        self._chunks: dict[int, tuple[int, int]] = {}  # place to times, by the summary
        self._lengths: dict[int, int] = {}  # place to length [bytes], by the summary
        self._span = 0, 0  # the first and the last time, by the statistics
        self._run_end = 0  # where the last block ends, if more messages may be added to it

    def read_beginning(self) -> None:
        if self._read(0, len(MAGIC)) != MAGIC:
            raise BrokenBagError('it does not begin as MCAP')
        opcode, length = HEAD.unpack(self._read(len(MAGIC), HEAD.size).ljust(HEAD.size, b'\0'))
        if opcode == Op.HEADER and length < self._end:
            with suppress(DamagedRecordError):
                profile = Fields(self._read(len(MAGIC) + HEAD.size, length)).text()
                if profile not in ('', 'ros2'):
                    raise UnsupportedBagError(f'its profile is {profile!r}, not ros2')

    def read_summary(self) -> None:
        """Read topics, numbers and places of chunks from the summary, if it is intact."""
        footer = self._end - FOOTER_SIZE
        tail = self._read(max(footer, 0), FOOTER_SIZE)
        if footer < 0 or tail[:9] != HEAD.pack(Op.FOOTER, 20) or tail[-8:] != MAGIC:
            return
        self._has_end = True
        start, _, crc = Fields(tail[HEAD.size :]).numbers('QQI')
        self._end = footer
        if not len(MAGIC) < start < footer <= start + mcap.LARGEST_CHUNK:
            return
        summary = self._read(start, footer - start)
        self._end = start
        if crc and crc32(summary + tail[:-12]) != crc:
            return
        with suppress(DamagedRecordError):
            for opcode, content in mcap.records(summary):
                self._take(opcode, content)

    def read_data(self) -> None:
        """Walk over the records; what is damaged is passed over, up to the next known chunk."""
        at = len(MAGIC)
        while at < self._end or (at == self._end and not self._has_end):
            head = self._read(at, HEAD.size)
            opcode, length = HEAD.unpack(head.ljust(HEAD.size, b'\0'))
            if at in self._lengths:
                opcode, length = Op.CHUNK, self._lengths[at]
            body = at + HEAD.size
            if opcode == Op.INVALID or length > self._end - body:
                at = self._pass_over(at, opcode)
                continue
            if opcode == Op.DATA_END:
                if not self._has_end:
                    self.index.cut = body + length
                elif body + length != self._end:
                    self.index.damaged[at] = 'the data ends too early'
                return
            try:
                if Op.DATA_END < opcode < FIRST_PRIVATE:
                    raise DamagedRecordError('a record is of an unknown kind')
                self._take_record(opcode, body, length)
            except DamagedRecordError as error:
                self.index.damaged[at] = str(error)
            at = body + length

    def is_certain(self) -> bool:
        """Return whether statistics, message indexes and chunks agree, so that nothing is lost."""
        index = self.index
        times = {block.place: (block.start, block.end) for block in index.blocks}
        starts, ends = zip(*times.values(), strict=True) if times else ((0,), (0,))
        return (
            bool(index.stated)
            and index.cut is None
            and not index.damaged
            and Counter(index.stated) == index.counts
            and index.counts.keys() <= index.channels.keys()
            and (min(starts), max(ends)) == self._span
            and all(times.get(place) == stated for place, stated in self._chunks.items())
        )

    def count(self) -> None:
        """Unpack every block: count its messages, and correct its times."""
        index = self.index
        blocks, index.blocks, index.counts = index.blocks, [], Counter()
        for block in blocks:
            try:
                found = []
                for opcode, content in _records(self._file, block):
                    if opcode == Op.MESSAGE:
                        found.append(mcap.message_of(content)[:2])
                    else:
                        self._take(opcode, content)
            except DamagedRecordError as error:
                index.damaged[block.place] = str(error)
                continue
            index.counts.update(channel for channel, _ in found)
            if found:
                times = [time for _, time in found]
                index.blocks.append(block._replace(start=min(times), end=max(times)))

    # Records

    def _take_record(self, opcode: int, body: int, length: int) -> None:
        if opcode == Op.CHUNK:
            self._take_chunk(body - HEAD.size, length)
        elif opcode == Op.MESSAGE:
            self._take_message(body - HEAD.size, length)
        elif opcode == Op.MESSAGE_INDEX:
            (channel,) = Fields(self._read(body, 2)).numbers('H')
            self.index.counts[channel] += max(length - 6, 0) // INDEXED
        elif opcode in (Op.SCHEMA, Op.CHANNEL, Op.STATISTICS):
            self._take(opcode, self._read(body, length))

    def _take(self, opcode: int, content: bytes) -> None:
        if opcode == Op.SCHEMA:
            number, schema = mcap.schema_of(content)
            self.index.schemas.setdefault(number, schema)
        elif opcode == Op.CHANNEL:
            number, channel = mcap.channel_of(content)
            self.index.channels.setdefault(number, channel)
        elif opcode == Op.STATISTICS:
            self._span, self.index.stated = mcap.statistics_of(content)
        elif opcode == Op.CHUNK_INDEX:
            start, end, place, length = Fields(content).numbers('QQQQ')
            self._chunks[place] = start, end
            self._lengths[place] = length - HEAD.size

    def _take_chunk(self, at: int, length: int, whole: bool = True) -> None:
        body = at + HEAD.size
        fields = Fields(self._read(body, min(length, CHUNK_HEAD)))
        start, end, unpacked, crc = fields.numbers('QQQI')
        compression = fields.text()
        (size,) = fields.numbers('Q')
        offset = body + 40 + len(compression.encode())
        left = body + length - offset
        if whole and size > left:
            raise DamagedRecordError('a chunk is longer than its record')
        place = Block(at, offset, min(size, left), start, end)
        self.index.blocks.append(
            place._replace(compression=compression, unpacked=unpacked, crc=crc, whole=whole)
        )
        self._run_end = 0

    def _take_message(self, at: int, length: int) -> None:
        body = at + HEAD.size
        head = self._read(body, min(length, mcap.MESSAGE_HEAD.size))
        channel, time, _ = mcap.message_of(head)
        self.index.counts[channel] += 1
        end = body + length
        blocks = self.index.blocks
        if at == self._run_end and end - blocks[-1].offset <= RUN:
            run = blocks.pop()
            at, start, last = run.offset, min(run.start, time), max(run.end, time)
        else:
            start = last = time
        blocks.append(Block(at, at, end - at, start, last, unpacked=end - at))
        self._run_end = end

    def _pass_over(self, at: int, opcode: int) -> int:
        """Note the damage; return where to go on."""
        if self._has_end:
            after = min((chunk for chunk in self._chunks if chunk > at), default=self._end)
            self.index.damaged[at] = f'a record has no possible length, up to byte {after}'
            return after
        self.index.cut = at
        if opcode == Op.CHUNK:
            with suppress(DamagedRecordError):
                self._take_chunk(at, self._end - at - HEAD.size, whole=False)
                self.index.cut = self._end
        return self._end + 1

    def _read(self, at: int, size: int) -> bytes:
        self._file.seek(at)
        return self._file.read(size)
