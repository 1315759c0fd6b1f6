# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A file of MCAP as a part of a bag: all of its intact messages, whatever its index says."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import partial
from pathlib import Path

from rosbags.interfaces import Connection

from .mcap_index import Block, messages_of, read_index
from .mcap_records import DamagedRecordError
from .message_types import Definition, connection_of
from .time_order import Run, Stored

UNKNOWN = Definition('', '', '')


class McapFile:
    """An open file.

    connections are its topics, with the number of messages that it has, or says to have if that is
    more.
    """

    def __init__(self, path: Path, name: str) -> None:
        """Raises BrokenBagError or UnsupportedBagError where nothing of it can be read."""
        self.name = name
        self._file = path.open('rb')
        try:
            self._index = read_index(self._file)
        except BaseException:
            self.close()
            raise
        counts, stated = self._index.counts, self._index.stated
        self.connections = [
            connection_of(
                number,
                channel.topic,
                self._index.schemas.get(channel.schema, UNKNOWN),
                count=max(counts[number], stated.get(number, 0)),
                encoding=channel.encoding,
                qos=channel.metadata.get('offered_qos_profiles', ''),
                digest=channel.metadata.get('topic_type_hash', ''),
                owner=self,
            )
            for number, channel in sorted(self._index.channels.items())
        ]

    @property
    def notes(self) -> list[str]:
        """What was found wrong so far."""
        index, notes = self._index, []
        if index.cut is not None:
            notes.append(
                f'{self.name} is cut short or damaged at byte {index.cut} of {index.size}: the '
                f'{index.counts.total()} messages before it are read'
            )
        if index.damaged:
            place, reason = min(index.damaged.items())
            count = len(index.damaged)
            where = f'in {count} places, first at byte {place}' if count > 1 else f'at byte {place}'
            notes.append(f'{self.name} is damaged {where} ({reason}): what was there is not read')
        lost = sum(index.counts[number] for number in index.counts.keys() - index.channels.keys())
        if lost:
            notes.append(f'{self.name} has {lost} messages of unknown topics: they are not read')
        return notes

    def runs(
        self, connections: Collection[Connection], start: int | None, stop: int | None
    ) -> Iterator[Run]:
        """Yield the messages of these connections from start to before stop [ns]."""
        chosen = {connection.id: connection for connection in connections}
        for block in self._index.blocks:
            if (start is None or block.end >= start) and (stop is None or block.start < stop):
                yield Run(block.start, partial(self._messages, block, chosen, start, stop))

    def close(self) -> None:
        self._file.close()

    def _messages(
        self, block: Block, chosen: dict[int, Connection], start: int | None, stop: int | None
    ) -> Iterator[Stored]:
        try:
            messages = messages_of(self._file, block)
        except DamagedRecordError as error:
            self._index.damaged[block.place] = str(error)
            return
        for channel, time, data in messages:
            if (
                channel in chosen
                and (start is None or time >= start)
                and (stop is None or time < stop)
            ):
                yield Stored(chosen[channel], time, data)
