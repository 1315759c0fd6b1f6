# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Find the files of a bag.

metadata.yaml tells which they are and how many messages they hold; nothing else of it is believed,
as the files themselves say it better. Without it a single file is a bag, and so is a series
NAME_0, NAME_1, ... as a recorder names the parts of one bag.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import yaml

from .errors import (
    BagError,
    BrokenBagError,
    MissingBagError,
    MissingMetadataError,
    UnsupportedBagError,
)

METADATA = 'metadata.yaml'
INFORMATION = 'rosbag2_bagfile_information'
PACKED = '.zstd'
FILE = re.compile(r'\.(mcap|db3)(\.zstd)?$')
PART = re.compile(r'(?P<name>.*)_(?P<number>0|[1-9]\d*)\.(mcap|db3)(\.zstd)?')


class BagFiles(NamedTuple):
    """The files of a bag in their order; notes are what a user should know about the choice.

    counts are the messages by topic according to metadata.yaml; None without it.
    """

    paths: Sequence[Path]
    counts: dict[str, int] | None
    notes: list[str]


class Metadata(NamedTuple):
    """What is used of metadata.yaml."""

    names: list[str]
    counts: dict[str, int]


def bag_files(path: Path) -> BagFiles:
    """Return the files of the bag that is this folder or file; raises the BagError that fits."""
    if not path.exists():
        raise MissingBagError(f'{path} does not exist: expected the folder or file of a rosbag')
    if not path.is_dir():
        _check_name(path)
        return BagFiles([path], None, [])
    present = _recordings(path)
    metadata, notes = None, []
    if (path / METADATA).is_file():
        try:
            metadata = _read(path / METADATA)
        except BagError:
            raise
        except Exception as error:  # the YAML may be anything
            reason = ' '.join(str(error).split()) or type(error).__name__
            notes.append(f'{METADATA} of {path} cannot be used ({reason}): it is read without it')
    elif present:
        notes.append(f'{path} has no {METADATA}, as if its recorder was interrupted')
    if metadata is None:
        chosen, more = _series(path, present)
    else:
        chosen, more = _listed(path, metadata.names, present)
    for file in chosen:
        if file.resolve().parent != path.resolve():
            raise BagError(
                f'{file} is a link out of its folder, which is not followed: copy the file there'
            )
    return BagFiles(chosen, metadata and metadata.counts, [*notes, *more])


def _check_name(path: Path) -> None:
    if path.suffix == '.bag':
        raise UnsupportedBagError(f'{path} is a ROS 1 bag: convert it with `rosbags-convert`')
    if not path.is_file() or not FILE.search(path.name):
        raise UnsupportedBagError(f'{path} is no rosbag: expected a folder, .mcap or .db3')


def _recordings(folder: Path) -> list[Path]:
    """Return the files that hold messages, without hidden ones; unpacked ones before packed."""
    found: dict[str, Path] = {}
    for file in sorted(folder.iterdir(), key=lambda file: (_number(file), file.name)):
        if FILE.search(file.name) and not file.name.startswith('.') and file.is_file():
            found.setdefault(file.name.removesuffix(PACKED), file)
    return list(found.values())


def _read(file: Path) -> Metadata:
    """Raises UnsupportedBagError for a compression that is not read, and anything for nonsense."""
    content = yaml.safe_load(file.read_text(encoding='utf-8-sig'))
    bag: Any = content.get(INFORMATION) if isinstance(content, dict) else None
    if not isinstance(bag, dict):
        raise ValueError(f'it has no {INFORMATION}')
    if _text(bag.get('compression_mode') or '').lower() not in ('', 'none'):
        form = _text(bag.get('compression_format'))
        if form != 'zstd':
            raise UnsupportedBagError(
                f'{file.parent} is compressed by {form!r}, which is not supported: expected zstd'
            )
    names = [_text(name) for name in bag.get('relative_file_paths', [])]
    counts: Counter[str] = Counter()
    for topic in bag.get('topics_with_message_count', []):
        counts[_text(topic['topic_metadata']['name'])] += int(topic['message_count'])
    return Metadata(names, dict(counts))


def _text(value: object) -> str:
    if not isinstance(value, str):  # which may be lists within lists that never end as a text
        raise ValueError(f'a {type(value).__name__} stands where a text was expected')
    return value


def _series(folder: Path, present: Sequence[Path]) -> tuple[Sequence[Path], list[str]]:
    """Return the parts of the only bag in a folder without metadata; raises where it is not one."""
    if not present:
        raise MissingBagError(f'{folder} holds no rosbag: expected {METADATA} and .mcap or .db3')
    series = {_series_of(file) for file in present}
    if len(present) > 1 and (None in series or len(series) > 1):
        raise MissingMetadataError(
            f'{folder} holds {len(present)} recordings, such as {present[0].name}, and no usable '
            f'{METADATA} that says whether they are one bag: give them one by one'
        )
    notes = []
    if len(present) > 1:
        numbers = [_number(file) for file in present]
        notes.append(f'the {len(present)} files of {folder} are read as parts of one bag')
        if missing := sorted(set(range(numbers[-1])) - set(numbers)):
            notes.append(f'of {folder} the parts {", ".join(map(str, missing))} are missing')
    return present, notes


def _listed(
    folder: Path, names: Sequence[str], present: Sequence[Path]
) -> tuple[Sequence[Path], list[str]]:
    """Return the files listed and those that go on with their series; renamed ones if none is left.

    Before version 4 of the metadata a name begins with the folder's.
    """
    if outside := [name for name in names if '..' in PurePosixPath(name).parts]:
        raise BagError(
            f'{METADATA} of {folder} lists {outside[0]}, which lies outside of it: not read'
        )
    wanted = dict.fromkeys(PurePosixPath(name).name.removesuffix(PACKED) for name in names)
    files = {file.name.removesuffix(PACKED): file for file in present}
    missing = [name for name in wanted if name not in files]
    lacks = f'{METADATA} of {folder} lists {", ".join(missing) or "no file"}'
    if not present:
        raise BrokenBagError(f'{lacks}, of which nothing is there')
    if len(missing) == len(wanted):
        renamed, notes = _series(folder, present)
        return renamed, [f'{lacks}; {_list(renamed)} is read instead', *notes]
    notes = [f'{lacks}, which is missing: its messages are not read'] if missing else []
    series = {_series_of(files[name]) for name in wanted if name in files} - {None}
    unlisted = [file for name, file in files.items() if name not in wanted]
    more = [file for file in unlisted if _series_of(file) in series]
    other = [file for file in unlisted if file not in more]
    if more:
        notes.append(f'{METADATA} of {folder} does not list {_list(more)}: read too, as it goes on')
    if other:
        notes.append(f'{METADATA} of {folder} does not list {_list(other)}: not read')
    return [*(files[name] for name in wanted if name in files), *more], notes


def _list(files: Sequence[Path]) -> str:
    return ', '.join(file.name for file in files)


def _series_of(file: Path) -> str | None:
    match = PART.fullmatch(file.name)
    return match['name'] if match else None


def _number(file: Path) -> int:
    match = PART.fullmatch(file.name)
    return int(match['number']) if match else -1
