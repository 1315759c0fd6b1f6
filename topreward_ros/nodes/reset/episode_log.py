# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A CSV file with a row per episode, continued by later runs."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import fcntl
import io
import os
from dataclasses import dataclass
from pathlib import Path

from topreward_ros.results.table_text import from_cell, to_cell


@dataclass(frozen=True)
class EpisodeRecord:
    """A row of the log: how an episode ended.

    ended is UTC in ISO 8601; outcome is success, time is up, stalled, looked finished, asked for,
    stopped or cut off; seconds is the length of the episode, progress the last one published (NaN
    if none); reset is done, not done, stopped, cut off or the reason of a failure, and
    reset_seconds its duration.
    """

    ended: str
    task: str
    outcome: str
    seconds: float
    progress: float
    reset: str = ''
    reset_seconds: float = 0.0


HEADER = ','.join(['number', *(field.name for field in dataclasses.fields(EpisodeRecord))])


def read_log(file: Path) -> list[EpisodeRecord]:
    """Return the complete rows of a log; raises OSError, or ValueError for another file."""
    return [_record(row) for row in _rows(file, _complete_lines(file, file.read_bytes()))]


class EpisodeLog:
    """Appends to a file that it locks; a row is on disk when `write` returns.

    count is the number of episodes in the file, successes the number of those that succeeded. If
    the file is moved or emptied by others, the next row starts a new log.
    """

    def __init__(self, file: Path) -> None:
        """Open or create the file.

        Raises ValueError if it is not a log of episodes or another node writes it, and OSError if
        it cannot be opened.
        """
        self._file = file
        self._stream = self._open()

    def write(self, record: EpisodeRecord) -> None:
        """Append a row; raises as the constructor, and then neither writes nor counts anything."""
        self._reopen_if_replaced()
        row = io.StringIO()
        values = [_cell(value) for value in dataclasses.astuple(record)]
        csv.writer(row, lineterminator='\n').writerow([self.count + 1, *values])
        line = row.getvalue().encode()
        before = self._stream.seek(0, os.SEEK_END)
        try:
            if self._stream.write(line) != len(line):
                raise OSError('the row could only be written in part')
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
        """Lock the file: two writers would assign the same numbers."""
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
        content = stream.readall()
        complete = _complete_lines(self._file, content)
        if complete != content:  # a line was interrupted while it was written
            stream.truncate(len(complete))
        if not complete:
            stream.write(f'{HEADER}\n'.encode())
        rows = _rows(self._file, complete)
        self.count = len(rows)
        self.successes = sum(row['outcome'] == 'success' for row in rows)

    def _reopen_if_replaced(self) -> None:
        """Start a new log if the file was moved or emptied."""
        opened = os.fstat(self._stream.fileno())
        if not (self._file.exists() and os.path.samestat(opened, self._file.stat())):
            stream = self._open()
            self._stream.close()
            self._stream = stream
        elif not opened.st_size:
            self._read(self._stream)


def _complete_lines(file: Path, content: bytes) -> bytes:
    """Return the content without a line that has no end; ValueError if it is not of a log."""
    # A spreadsheet may have saved it with a byte order mark and other line endings.
    header = content.split(b'\n')[0].decode('utf-8-sig', 'replace').rstrip('\r')
    if header != HEADER and not (b'\n' not in content and HEADER.startswith(header)):
        raise ValueError(f'{file} is not a log of episodes; expected columns {HEADER}')
    return content[: content.rfind(b'\n') + 1]


def _rows(file: Path, content: bytes) -> list[dict[str, str]]:
    try:
        return list(csv.DictReader(io.StringIO(content.decode('utf-8-sig', 'replace'))))
    except csv.Error as error:
        raise ValueError(f'{file} is not a valid CSV file: {error}') from error


def _cell(value: str | float) -> str:
    if isinstance(value, float):
        return f'{value:.3f}'
    return to_cell(' '.join(value.split()))  # on one line


def _record(row: dict[str, str]) -> EpisodeRecord:
    return EpisodeRecord(
        ended=row['ended'],
        task=from_cell(row['task']),
        outcome=row['outcome'],
        seconds=float(row['seconds']),
        progress=float(row['progress']),
        reset=from_cell(row['reset']),
        reset_seconds=float(row['reset_seconds']),
    )
