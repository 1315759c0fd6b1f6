# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Find what is wrong with a bag, before it is opened and while it is read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from topreward_ros.errors import TopRewardError

from .errors import (
    BagError,
    BrokenBagError,
    MissingBagError,
    MissingMetadataError,
    UnsupportedBagError,
)

METADATA = 'metadata.yaml'
MCAP, SQLITE = '.mcap', '.db3'
# Messages of rosbags about formats it does not read; the words are encodings of definitions
FOREIGN = 'protobuf|flatbuffer|jsonschema|ros1msg|unknown'
UNSUPPORTED = re.compile(
    rf"not supported|unsupported|profile is not|^'({FOREIGN})'$", re.IGNORECASE
)
UNREADABLE = re.compile(r'could not (open|read)|permission', re.IGNORECASE)
REMEDIES = {
    MCAP: '`mcap recover` saves what is readable',
    SQLITE: "sqlite3's `.recover` saves what is readable",
}


def check_place(path: Path) -> None:
    """Raise a BagError where no bag exists, or its recorder has not finished it."""
    if not path.exists():
        raise MissingBagError(f'{path} does not exist: expected the folder or file of a rosbag')
    if path.is_dir():
        recordings = _recordings(path)
        if not (path / METADATA).is_file():
            if not recordings:
                raise MissingBagError(f'{path} holds no rosbag: expected {METADATA} and {MCAP}')
            raise MissingMetadataError(
                f'{path} has no {METADATA}, so its recorder was interrupted: `ros2 bag reindex '
                f'{path}` writes it'
            )
    else:
        recordings = [path]
        _check_suffix(path)
    for file in recordings:
        log = file.with_name(f'{file.name}-wal')
        if file.suffix == SQLITE and log.is_file() and log.stat().st_size:
            raise BrokenBagError(
                f'{file} was not closed: its newest messages are still in {log.name}; '
                f"`sqlite3 {file} 'PRAGMA wal_checkpoint(TRUNCATE)'` merges them"
            )


@contextmanager
def faults_of(path: Path) -> Iterator[None]:
    """Turn any exception of reading into the BagError that fits."""
    try:
        yield
    except TopRewardError:
        raise
    except Exception as error:  # rosbags raises nearly everything on broken data
        raise _fault(path, error) from error


def _fault(path: Path, error: Exception) -> BagError:
    text = str(error).replace(str(path), path.name) or type(error).__name__
    if UNSUPPORTED.search(text):
        return UnsupportedBagError(f'{path} is in a format that cannot be read: {text}')
    if isinstance(error, OSError) or UNREADABLE.search(text):
        return BagError(f'{path} cannot be read: {text}')
    files = _recordings(path) if path.is_dir() else [path]
    remedies = {REMEDIES[suffix] for file in files for suffix in REMEDIES if suffix in file.name}
    remedy = '; or '.join([*sorted(remedies), f'`ros2 bag reindex` rewrites {METADATA}'])
    return BrokenBagError(f'{path} is cut short or broken ({text}): {remedy}')


def _check_suffix(path: Path) -> None:
    if path.suffix == '.zstd':
        raise UnsupportedBagError(f'{path} is compressed: give the folder with its {METADATA}')
    if path.suffix == '.bag':
        raise UnsupportedBagError(f'{path} is a ROS 1 bag: convert it with `rosbags-convert`')
    if path.suffix not in (MCAP, SQLITE):
        raise UnsupportedBagError(f'{path} is no rosbag: expected a folder, {MCAP} or {SQLITE}')


def _recordings(folder: Path) -> list[Path]:
    names = (MCAP, SQLITE, f'{MCAP}.zstd', f'{SQLITE}.zstd')
    return sorted(file for file in folder.iterdir() if file.name.endswith(names))
