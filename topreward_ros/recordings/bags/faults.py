# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Finds what is wrong with a bag, before it is opened and while it is read."""

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
# What rosbags says of what it does not read; the words are encodings of definitions.
FOREIGN = 'protobuf|flatbuffer|jsonschema|ros1msg|unknown'
UNSUPPORTED = re.compile(
    rf"not supported|unsupported|profile is not|^'({FOREIGN})'$", re.IGNORECASE
)
UNREADABLE = re.compile(r'could not (open|read)|permission', re.IGNORECASE)
REMEDIES = {
    MCAP: '`mcap recover` saves what is there',
    SQLITE: "sqlite3's `.recover` saves what is there",
}


def check_place(path: Path) -> None:
    """Raises a BagError where there is no bag, or one that its recorder has not finished."""
    if not path.exists():
        raise MissingBagError(f'{path} is not there: expected the folder of a rosbag, or its file')
    if path.is_dir():
        recordings = _recordings(path)
        if not (path / METADATA).is_file():
            if not recordings:
                raise MissingBagError(f'{path} holds no rosbag: expected {METADATA} and {MCAP}')
            raise MissingMetadataError(
                f'{path} has no {METADATA}, so its recorder was cut off: `ros2 bag reindex {path}` '
                'writes it'
            )
    else:
        recordings = [path]
        _check_suffix(path)
    for file in recordings:
        log = file.with_name(f'{file.name}-wal')
        if file.suffix == SQLITE and log.is_file() and log.stat().st_size:
            raise BrokenBagError(
                f'{file} was not closed: its newest messages are in {log.name} still; '
                f"`sqlite3 {file} 'PRAGMA wal_checkpoint(TRUNCATE)'` brings them in"
            )


@contextmanager
def faults_of(path: Path) -> Iterator[None]:
    """Turns whatever reading raises into the BagError that it is."""
    try:
        yield
    except TopRewardError:
        raise
    except Exception as error:  # rosbags raises nearly everything on broken data
        raise _fault(path, error) from error


def _fault(path: Path, error: Exception) -> BagError:
    text = str(error).replace(str(path), path.name) or type(error).__name__
    if UNSUPPORTED.search(text):
        return UnsupportedBagError(f'{path} is of a kind that cannot be read: {text}')
    if isinstance(error, OSError) or UNREADABLE.search(text):
        return BagError(f'{path} cannot be read: {text}')
    files = _recordings(path) if path.is_dir() else [path]
    remedies = {REMEDIES[suffix] for file in files for suffix in REMEDIES if suffix in file.name}
    remedy = '; or '.join([*sorted(remedies), f'`ros2 bag reindex` writes {METADATA} anew'])
    return BrokenBagError(f'{path} is cut short or broken ({text}): {remedy}')


def _check_suffix(path: Path) -> None:
    if path.suffix == '.zstd':
        raise UnsupportedBagError(f'{path} is compressed: give the folder with its {METADATA}')
    if path.suffix == '.bag':
        raise UnsupportedBagError(f'{path} is a bag of ROS 1: `rosbags-convert` makes one of ROS 2')
    if path.suffix not in (MCAP, SQLITE):
        raise UnsupportedBagError(f'{path} is no rosbag: expected a folder, {MCAP} or {SQLITE}')


def _recordings(folder: Path) -> list[Path]:
    names = (MCAP, SQLITE, f'{MCAP}.zstd', f'{SQLITE}.zstd')
    return sorted(file for file in folder.iterdir() if file.name.endswith(names))
