# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A CSV with a row for every episode, which goes on where the last run ended."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
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
    """Appends to a file; a row is on the disk when `write` returns.

    count is the number of episodes in the file, successes of those that succeeded.
    """

    def __init__(self, file: Path) -> None:
        """Raises ValueError for a file that is not such a table, OSError where it cannot be had."""
        self._file = file
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open('a+', encoding='utf-8', newline='') as stream:
            stream.seek(0)
            text = stream.read()
            begun = text.split('\n')[0]
            if begun != HEADER and not (begun == text and HEADER.startswith(text)):
                raise ValueError(f'{file} is not a log of episodes; expected columns {HEADER}')
            # A line without an end was cut off while it was written: it did not happen.
            whole = text[: text.rfind('\n') + 1]
            if whole != text:
                stream.truncate(len(whole.encode()))
            if not whole:
                stream.write(f'{HEADER}\n')
        rows = list(csv.DictReader(io.StringIO(whole)))
        self.count = len(rows)
        self.successes = sum(row['outcome'] == 'success' for row in rows)

    def write(self, record: EpisodeRecord) -> None:
        """Raises OSError, and then nothing is counted."""
        row = io.StringIO()
        values = [_shown(value) for value in dataclasses.astuple(record)]
        csv.writer(row, lineterminator='\n').writerow([self.count + 1, *values])
        with self._file.open('ab') as stream:
            before = stream.seek(0, os.SEEK_END)
            try:
                stream.write(row.getvalue().encode())
                stream.flush()
                os.fsync(stream.fileno())
            except OSError:
                with contextlib.suppress(OSError):
                    os.truncate(self._file, before)
                raise
        self.count += 1
        self.successes += record.outcome == 'success'


def _shown(value: str | float) -> str:
    if isinstance(value, float):
        return f'{value:.3f}'
    return ' '.join(value.split())  # a row stays one line
