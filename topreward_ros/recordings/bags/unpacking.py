# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Open a file of a bag as what its first bytes say: packed as a whole, MCAP or SQLite.

What has to be changed before it can be read is copied to a temporary folder first: a file packed by
zstd, and a database beside which a log lies, since its recorder did not close it.
"""

from __future__ import annotations

import shutil
import sqlite3
import sys
from contextlib import ExitStack, closing
from pathlib import Path
from tempfile import TemporaryDirectory

from .errors import BrokenBagError
from .mcap_file import McapFile
from .mcap_records import MAGIC as MCAP_MAGIC
from .sqlite_file import SqliteFile

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ZSTD_MAGIC = b'\x28\xb5\x2f\xfd'
SQLITE_MAGIC = b'SQLite format 3\0'
# Beside a database: its newest pages, or the older ones that an unfinished write has to give back
LOGS = {'-wal': 'adds is read', '-journal': 'takes back is not read'}

BagFile = McapFile | SqliteFile


def open_file(path: Path, stack: ExitStack) -> tuple[BagFile, list[str]]:
    """Return the file and what a user should know; the stack closes it and removes copies.

    Raises a BagError that does not say which file, and the errors of the formats.
    """
    name = path.name
    notes: list[str] = []
    beginning = _beginning(path)
    if beginning.startswith(ZSTD_MAGIC):
        path, whole = _unpacked(path, stack)
        beginning = _beginning(path)
        if not whole:
            notes.append(f'{name} is cut short: what can be unpacked of it is read')
        if not whole and not beginning:
            raise BrokenBagError('it is cut short, and nothing of it can be unpacked')
    kind: type[McapFile] | type[SqliteFile]
    if beginning.startswith(MCAP_MAGIC):
        kind = McapFile
    elif beginning.startswith(SQLITE_MAGIC):
        kind = SqliteFile
        path, logs = _without_log(path, stack)
        notes += [
            f'{name} was not closed by its recorder: what {name}{log} {LOGS[log]}' for log in logs
        ]
    elif not beginning:
        raise BrokenBagError('it is empty')
    else:
        raise BrokenBagError('it begins as neither MCAP nor SQLite')
    return stack.enter_context(closing(kind(path, name))), notes


def _beginning(path: Path) -> bytes:
    with path.open('rb') as file:
        return file.read(len(SQLITE_MAGIC))


def _unpacked(path: Path, stack: ExitStack) -> tuple[Path, bool]:
    """Return the unpacked file, and whether it is whole."""
    target = Path(stack.enter_context(TemporaryDirectory())) / path.stem
    with zstd.open(path, 'rb') as source, target.open('wb') as out:
        try:
            shutil.copyfileobj(source, out)
        except EOFError:
            return target, False
    return target, True


def _without_log(path: Path, stack: ExitStack) -> tuple[Path, list[str]]:
    """Return the database after what its logs demand, and which they are."""
    files = {log: path.with_name(path.name + log) for log in LOGS}
    logs = [
        log
        for log, file in files.items()
        if file.is_file() and not file.is_symlink() and file.stat().st_size
    ]
    if not logs:
        return path, []
    folder = Path(stack.enter_context(TemporaryDirectory()))
    for file in (path, *(files[log] for log in logs)):
        shutil.copyfile(file, folder / file.name)
    with closing(sqlite3.connect(folder / path.name)) as database:
        database.execute('PRAGMA wal_checkpoint(TRUNCATE)')
        database.execute('SELECT count(*) FROM sqlite_master').fetchall()
    return folder / path.name, logs
