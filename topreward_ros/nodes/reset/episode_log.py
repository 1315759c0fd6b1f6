# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A CSV with a row for every episode, which goes on where the last run ended."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import fcntl
import io
import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class EpisodeRecord:
    """How an episode ended.

    ended is UTC in ISO 8601; outcome is success, time is up, stalled, asked for, or cut off;
    seconds is its length, progress the last one published (NaN if none); reset is done, or why it
    failed, and reset_seconds how long it took.
    """

    ended: str
    task: str
    outcome: str
    seconds: float
    progress: float
    reset: str
    reset_seconds: float


HEADER = ','.join(['number', *(field.name for field in dataclasses.fields(EpisodeRecord))])


class EpisodeLog:
    """Appends to a file of its own; a row is on the disk when `write` returns.

    count is the number of episodes in the file, successes of those that succeeded. Where the file
    is moved away or emptied meanwhile, the next row begins a new one.
    """

    def __init__(self, file: Path) -> None:
        """Raises ValueError for a file that is not such a table or is another node's, OSError
        where it cannot be had.
        """
        self._file = file
        self._stream = self._open()

    def write(self, record: EpisodeRecord) -> None:
        """Raises as the constructor, and then nothing is counted."""
        self._follow()
        row = io.StringIO()
        values = [_shown(value) for value in dataclasses.astuple(record)]
        csv.writer(row, lineterminator='\n').writerow([self.count + 1, *values])
        line = row.getvalue().encode()
        before = self._stream.seek(0, os.SEEK_END)
        try:
            if self._stream.write(line) != len(line):
                raise OSError('only a part of the row could be written')
            os.fsync(self._stream.fileno())
        except OSError:
            with contextlib.suppress(OSError):
                self._stream.truncate(before)
            raise
        self.count += 1
        self.successes += record.outcome == 'success'

    def close(self) -> None:
        self._stream.close()

    def _open(self) -> io.FileIO:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        stream = io.FileIO(self._file, 'a+')
        try:
            self._lock(stream)
            self._read(stream)
        except BaseException:
            stream.close()
            raise
        return stream

    def _lock(self, stream: io.FileIO) -> None:
        """Two that count on their own would give the same numbers."""
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ValueError(
                f'{self._file} is being written by another node; name another file'
            ) from error
        except OSError:  # a file system without locks
            pass

    def _read(self, stream: io.FileIO) -> None:
        stream.seek(0)
        found = stream.readall()
        # A spreadsheet may have saved it, with its own mark at the beginning and ends of lines.
        begun = found.split(b'\n')[0].decode('utf-8-sig', 'replace').rstrip('\r')
        if begun != HEADER and not (b'\n' not in found and HEADER.startswith(begun)):
            raise ValueError(f'{self._file} is not a log of episodes; expected columns {HEADER}')
        # A line without an end was cut off while it was written: it did not happen.
        whole = found[: found.rfind(b'\n') + 1]
        if whole != found:
            stream.truncate(len(whole))
        if not whole:
            stream.write(f'{HEADER}\n'.encode())
        try:
            rows = list(csv.DictReader(io.StringIO(whole.decode('utf-8-sig', 'replace'))))
        except csv.Error as error:
            raise ValueError(f'{self._file} is no table any more: {error}') from error
        self.count = len(rows)
        self.successes = sum(row['outcome'] == 'success' for row in rows)

    def _follow(self) -> None:
        """Begin anew where the file was moved away or emptied."""
        ours = os.fstat(self._stream.fileno())
        if not (self._file.exists() and os.path.samestat(ours, self._file.stat())):
            stream = self._open()
            self._stream.close()
            self._stream = stream
        elif not ours.st_size:
            self._read(self._stream)


def _shown(value: str | float) -> str:
    if isinstance(value, float):
        return f'{value:.3f}'
    return ' '.join(value.split())  # a row stays one line
