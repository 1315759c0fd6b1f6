# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A file of SQLite as a part of a bag, as every version of rosbag2_storage_sqlite3 writes it."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Collection, Iterator
from functools import partial
from pathlib import Path

from rosbags.interfaces import Connection

from .errors import BrokenBagError
from .message_types import Definition, connection_of
from .time_order import Run, Stored

FIRST, LAST = 0, 2**63 - 1  # times that a bag can have [ns]
TABLES = "SELECT name FROM sqlite_master WHERE type = 'table'"
DEFINITIONS = 'SELECT topic_type, encoding, encoded_message_definition FROM message_definitions'
COUNTS = 'SELECT topic_id, count(*) FROM messages NOT INDEXED GROUP BY topic_id'
OPTIONAL = ('offered_qos_profiles', 'type_description_hash')  # columns since Foxy, and since Iron


class SqliteFile:
    """An open file; connections are its topics, with the number of their messages."""

    def __init__(self, path: Path, name: str) -> None:
        """Raises BrokenBagError, and sqlite3.Error, where it cannot be read."""
        self.name = name
        self.notes: list[str] = []
        _check_size(path)
        # Immutable, as otherwise a folder without write permission cannot be read in WAL mode
        self._database = sqlite3.connect(
            f'{path.absolute().as_uri()}?mode=ro&immutable=1', uri=True, check_same_thread=False
        )
        try:
            self.connections = self._topics()
        except BaseException:
            self.close()
            raise

    def runs(
        self, connections: Collection[Connection], start: int | None, stop: int | None
    ) -> Iterator[Run]:
        """Yield the messages of these connections from start to before stop [ns]."""
        chosen = {connection.id: connection for connection in connections}
        times = FIRST if start is None else start, LAST if stop is None else stop - 1
        yield Run(times[0], partial(self._messages, chosen, times))

    def close(self) -> None:
        self._database.close()

    def _topics(self) -> list[Connection]:
        database = self._database
        database.text_factory = lambda text: text.decode('utf-8', 'replace')
        database.execute('PRAGMA trusted_schema = OFF')
        database.execute('PRAGMA cell_size_check = ON')
        tables = {row[0] for row in database.execute(TABLES)}
        if not {'topics', 'messages'} <= tables:
            raise BrokenBagError('it has no tables of topics and messages')
        counts = dict(database.execute(COUNTS))
        definitions = {}
        if 'message_definitions' in tables:
            rows = database.execute(DEFINITIONS)
            definitions = {row[0]: Definition(*map(str, row)) for row in rows}
        columns = {row[1] for row in database.execute('PRAGMA table_info(topics)')}
        optional = [name if name in columns else "''" for name in OPTIONAL]
        rows = database.execute(
            f'SELECT id, name, type, serialization_format, {", ".join(optional)} FROM topics'
        )
        topics = [
            connection_of(
                int(number),
                str(topic),
                definitions.get(kind, Definition(str(kind), '', '')),
                count=counts.pop(number, 0),
                encoding=str(encoding),
                qos=str(qos),
                digest=str(digest),
                owner=self,
            )
            for number, topic, kind, encoding, qos, digest in rows
        ]
        if lost := sum(counts.values()):
            self.notes.append(
                f'{self.name} has {lost} messages of unknown topics: they are not read'
            )
        return topics

    def _messages(self, chosen: dict[int, Connection], times: tuple[int, int]) -> Iterator[Stored]:
        query = (
            'SELECT topic_id, timestamp, data FROM messages '
            f'WHERE topic_id IN ({",".join(map(str, chosen))}) AND timestamp BETWEEN ? AND ? '
            'ORDER BY timestamp, rowid'
        )
        read = 0
        try:
            for number, time, data in self._database.execute(query, times):
                yield Stored(chosen[number], time, data if isinstance(data, bytes) else b'')
                read += 1
        except sqlite3.Error as error:
            total = sum(connection.msgcount for connection in chosen.values())
            raise BrokenBagError(
                f'{self.name} is damaged: {read} of {total} messages can be read ({error})'
            ) from error


def _check_size(path: Path) -> None:
    """Raise BrokenBagError where the file is shorter than its own header says."""
    with path.open('rb') as file:
        header = file.read(100).ljust(100, b'\0')
    page, changed, pages, valid_for = (
        *struct.unpack_from('>H', header, 16),
        *struct.unpack_from('>I', header, 24),
        *struct.unpack_from('>I', header, 28),
        *struct.unpack_from('>I', header, 92),
    )
    expected = pages * (65536 if page == 1 else page)
    size = path.stat().st_size
    if changed == valid_for and size < expected:  # otherwise SQLite does not keep this number
        raise BrokenBagError(
            f'it is cut short: {size} of its {expected} bytes are left; if it was copied, copy '
            'it again'
        )
