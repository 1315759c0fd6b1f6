# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Of a bag, all messages are read, or the true number and the true cause are told.

Images are told apart by their pixels: image k of a bag is `pixels(k)`.
"""

from __future__ import annotations

import itertools
import re
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rosbags.rosbag2 import CompressionMode

from test.recordings.bag_builder import (
    CAMERA,
    IMAGE,
    JAZZY,
    SECOND,
    STRING,
    TASK,
    Recorded,
    images,
    only_file,
    packed,
    pixels,
    raw,
    text,
    write_bag,
)
from test.recordings.mcap_builder import MAGIC, write_mcap
from topreward_ros.recordings.bags.episodes import bag_episodes
from topreward_ros.recordings.bags.errors import (
    BagError,
    BrokenBagError,
    MissingBagError,
    MissingMetadataError,
    UnsupportedBagError,
)
from topreward_ros.recordings.bags.reader import Bag
from topreward_ros.recordings.bags.source import open_bag
from topreward_ros.recordings.labelled import open_recordings
from topreward_ros.recordings.source_options import SourceOptions
from topreward_ros.recordings.sources import FORMATS
from topreward_ros.results.scored_bag import write_scored_bag

COUNT = 12
ALL = list(range(COUNT))
QOS = yaml.safe_dump(
    [
        {
            'history': 1,
            'depth': 5,
            'reliability': 1,
            'durability': 2,
            'deadline': {'sec': 0, 'nsec': 0},
            'lifespan': {'sec': 0, 'nsec': 0},
            'liveliness': 1,
            'liveliness_lease_duration': {'sec': 0, 'nsec': 0},
            'avoid_ros_namespace_conventions': False,
        }
    ]
)
NUMBERS = {pixels(k).tobytes(): k for k in range(2 * COUNT)}
Build = Callable[[Path], Path]


def some(first: int = 0, count: int = COUNT) -> list[Recorded]:
    """Return images first, first + 1, ... at ten a second, and a task before the first."""
    recorded = [raw(SECOND + k * SECOND // 10, pixels(k)) for k in range(first, first + count)]
    return [text(SECOND // 2, 'Do it.'), *recorded] if not first else recorded


def read(path: Path) -> tuple[list[int], list[str]]:
    """Return the numbers of the images read, and the warnings: BAG is the path, N a place."""
    with Bag(path, CAMERA) as bag:
        numbers = [NUMBERS[shown.tobytes()] for _, shown in bag.frames()]
        again = [NUMBERS[shown.tobytes()] for _, shown in bag.frames()]
        assert again == numbers and not bag.skipped
        warnings = [warning.replace(str(path), 'BAG') for warning in bag.warnings]
        return numbers, [re.sub(r'(byte|of) \d{3,}', r'\1 N', warning) for warning in warnings]


def edit_metadata(folder: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    file = folder / 'metadata.yaml'
    content = yaml.safe_load(file.read_text())
    change(content['rosbag2_bagfile_information'])
    file.write_text(yaml.safe_dump(content))
    return folder


def topics_of(bag: dict[str, Any]) -> list[dict[str, Any]]:
    return [topic['topic_metadata'] for topic in bag['topics_with_message_count']]


def set_qos(value: object) -> Build:
    """Return what writes a bag whose metadata has this QoS; its file has another."""

    def build(path: Path) -> Path:
        folder = join(path / 'bag', write_mcap(path / 'a.mcap', some(), qos=(QOS,)))

        def change(bag: dict[str, Any]) -> None:
            for topic in topics_of(bag):
                topic['offered_qos_profiles'] = value

        return edit_metadata(folder, change)

    return build


def join(folder: Path, *parts: Path, listed: bool = True) -> Path:
    """Move these files into a folder, as a recorder names the parts of a split bag."""
    folder.mkdir()
    names = [f'{folder.name}_{k}{"".join(part.suffixes)}' for k, part in enumerate(parts)]
    counts: dict[tuple[str, str], int] = {}
    for name, part in zip(names, parts, strict=True):
        with Bag(part) as bag:
            for topic in bag.topics:
                counts[topic[:2]] = counts.get(topic[:2], 0) + topic.messages
        shutil.move(part, folder / name)
    if listed:
        information = {
            'version': 9,
            'storage_identifier': 'mcap',
            'compression_format': '',
            'compression_mode': '',
            'starting_time': {'nanoseconds_since_epoch': 0},
            'duration': {'nanoseconds': 9 * SECOND},
            'message_count': sum(counts.values()),
            'relative_file_paths': names,
            'topics_with_message_count': [
                {
                    'message_count': count,
                    'topic_metadata': {
                        'name': topic,
                        'type': kind,
                        'serialization_format': 'cdr',
                        'offered_qos_profiles': '',
                    },
                }
                for (topic, kind), count in counts.items()
            ],
        }
        metadata = {'rosbag2_bagfile_information': information}
        (folder / 'metadata.yaml').write_text(yaml.safe_dump(metadata))
    return folder


# Kind: every form that the format allows is read whole, and there is nothing to say


MCAP_FORMS = [
    pytest.param(options, id='-'.join(f'{key}={value}' for key, value in options.items()))
    for values in itertools.product((0, 1, 5), ('', 'zstd', 'lz4'), (True, False), (True, False))
    for options in [dict(zip(('chunk', 'compression', 'index', 'summary'), values, strict=True))]
    if options['chunk'] or (options['index'] and not options['compression'])
]


@pytest.mark.parametrize('options', MCAP_FORMS)
def test_every_form_of_mcap(tmp_path: Path, options: dict[str, Any]) -> None:
    """In any order, with or without chunks, message indexes and a summary."""
    shuffled = some()
    np.random.default_rng(3).shuffle(shuffled)
    assert read(write_mcap(tmp_path / 'a.mcap', shuffled, **options)) == (ALL, [])


def two_definitions(path: Path) -> Path:
    """The second part has images with one more field."""
    first = write_mcap(path / 'a.mcap', some(0, 6))
    with_field, _ = JAZZY.generate_msgdef(IMAGE, ros_version=2)
    with_field = with_field.replace('uint8[] data', 'uint8[] data\nuint8 quality', 1)
    longer = [message._replace(data=message.data + b'\7') for message in some(6, 6)]
    return join(path / 'bag', first, write_mcap(path / 'b.mcap', longer, definition=with_field))


def two_types(path: Path) -> Path:
    second = [packed(message.time, pixels(6 + k), CAMERA) for k, message in enumerate(some(6, 6))]
    parts = write_mcap(path / 'a.mcap', some(0, 6)), write_mcap(path / 'b.mcap', second)
    return join(path / 'bag', *parts)


def two_storages(path: Path) -> Path:
    second = write_bag(path / 'b', some(6, 6), 'sqlite', CompressionMode.MESSAGE)
    return join(path / 'bag', write_mcap(path / 'a.mcap', some(0, 6)), only_file(second))


def two_packings(path: Path) -> Path:
    first = write_bag(path / 'a', some(0, 6), 'mcap', CompressionMode.FILE)
    return join(path / 'bag', only_file(first), write_mcap(path / 'b.mcap', some(6, 6)))


def two_qos(path: Path) -> Path:
    parts = [
        write_mcap(
            path / f'{k}.mcap', some(6 * k, 6), qos=(QOS.replace('depth: 5', f'depth: {k}'), '')
        )
        for k in range(2)
    ]
    return join(path / 'bag', *parts)


def interleaved(path: Path) -> Path:
    """The parts lie in each other's time, the later one first."""
    messages = some()
    parts = [write_mcap(path / f'{k}.mcap', messages[1 - k :: 2]) for k in range(2)]
    return join(path / 'bag', *parts)


def task_in_one_part(path: Path) -> Path:
    parts = write_mcap(path / 'a.mcap', some(0, 6)), write_mcap(path / 'b.mcap', some(6, 6))
    folder = join(path / 'bag', *parts)
    with Bag(folder) as bag:
        assert [message.time for message in bag.messages([TASK])] == [SECOND // 2]
    return folder


def hidden_files(path: Path) -> Path:
    folder = write_bag(path / 'bag', some())
    for name in ('._bag.mcap', '.DS_Store', '._metadata.yaml', '.bag_1.mcap'):
        (folder / name).write_bytes(b'\0\5\26\7')
    return folder


def odd_name(path: Path) -> Path:
    file = only_file(write_bag(path / 'bag', some(), 'sqlite'))
    return join(path / 'run #1 100%25 ?x=é', file)


def renamed_folder(path: Path) -> Path:
    """As before version 4 of the metadata, where names begin with the folder's old name."""
    folder = write_bag(path / 'bag', some())
    return edit_metadata(folder, lambda bag: bag.update(relative_file_paths=['old/bag.mcap']))


def listed_twice(path: Path) -> Path:
    folder = write_bag(path / 'bag', some())
    return edit_metadata(folder, lambda bag: bag.update(relative_file_paths=['bag.mcap'] * 2))


def wrong_formats(path: Path) -> Path:
    """The metadata is of another storage and serialisation than the files."""

    def change(bag: dict[str, Any]) -> None:
        bag.update(storage_identifier='sqlite3', version=12)
        for topic in topics_of(bag):
            topic['serialization_format'] = 'protobuf'

    return edit_metadata(write_bag(path / 'bag', some()), change)


def qos_of_database(path: Path) -> Path:
    folder = write_bag(path / 'bag', some(), 'sqlite')
    with sqlite3.connect(only_file(folder)) as database:
        database.execute("UPDATE topics SET offered_qos_profiles = '{: not a list'")
    database.close()
    return folder


def unknown_definitions(path: Path) -> Path:
    """What a recorder writes that lacks the message package."""
    return write_mcap(path / 'a.mcap', some(), encoding='unknown', definition=' ')


def out_of_order_database(path: Path) -> Path:
    return write_bag(path / 'bag', some()[::-1], 'sqlite')


def database_without_index(path: Path) -> Path:
    folder = write_bag(path / 'bag', some()[::-1], 'sqlite')
    with sqlite3.connect(only_file(folder)) as database:
        database.execute('DROP INDEX timestamp_idx')
    database.close()
    return folder


def wrong_suffixes(path: Path) -> Path:
    """The content tells the format."""
    mcap, sqlite = write_mcap(path / 'a.db3', some(0, 6)), path / 'b.mcap'
    shutil.move(only_file(write_bag(path / 'b', some(6, 6), 'sqlite')), sqlite)
    return join(path / 'bag', mcap, sqlite)


def chunks_without_times(path: Path) -> Path:
    return write_mcap(path / 'a.mcap', some(), times=False)


def packed_file_alone(path: Path) -> Path:
    return only_file(write_bag(path / 'bag', some(), 'mcap', CompressionMode.FILE))


WHOLE: list[Build] = [
    set_qos(''),
    set_qos([]),
    set_qos('- history: 3\n  depth: 1'),
    set_qos([{'history': 'keep_last', 'depth': 99}]),
    set_qos({'history': 1}),
    set_qos(None),
    two_qos,
    two_definitions,
    two_types,
    two_storages,
    two_packings,
    interleaved,
    task_in_one_part,
    hidden_files,
    odd_name,
    renamed_folder,
    listed_twice,
    wrong_formats,
    qos_of_database,
    unknown_definitions,
    out_of_order_database,
    database_without_index,
    wrong_suffixes,
    chunks_without_times,
    packed_file_alone,
]


@pytest.mark.parametrize('build', WHOLE)
def test_a_bag_is_read_whole(tmp_path: Path, build: Build) -> None:
    assert read(build(tmp_path)) == (ALL, [])


# Kind: what is there is read, and what is wrong is said with its number


TOLD: list[Any] = []


def told(numbers: list[int], *warnings: str) -> Callable[[Build], Build]:
    """Register a bag of which these images are read, with these warnings."""

    def register(build: Build) -> Build:
        TOLD.append(pytest.param(build, numbers, list(warnings), id=build.__name__.strip('_')))
        return build

    return register


def cut(file: Path, size: int) -> Path:
    """Keep only the first bytes of a file; a negative size leaves that many away."""
    file.write_bytes(file.read_bytes()[:size])
    return file


def chunk_starts(file: Path) -> list[int]:
    """Return where chunks begin: their head is that of no other record in these small files."""
    data = file.read_bytes()
    at, starts = len(MAGIC), []
    while at < len(data) - len(MAGIC):
        if data[at] == 6:
            starts.append(at)
        at += 9 + int.from_bytes(data[at + 1 : at + 9], 'little')
    return starts


@told(
    ALL[:5],
    'a.mcap is cut short or damaged at byte N of N: the 6 messages before it are read',
)
def _cut_between_chunks(path: Path) -> Path:
    """As when a recorder is killed: no end, no index."""
    file = write_mcap(path / 'a.mcap', some())
    return cut(file, chunk_starts(file)[2])


@told(
    ALL[:6],
    'a.mcap is cut short or damaged at byte N of N: the 7 messages before it are read',
)
def _cut_within_a_chunk(path: Path) -> Path:
    file = write_mcap(path / 'a.mcap', some())
    return cut(file, chunk_starts(file)[2] + 5000)


@told(
    ALL[:5],
    'a.mcap is cut short or damaged at byte N of N: the 6 messages before it are read',
)
def _cut_within_a_message(path: Path) -> Path:
    return cut(write_mcap(path / 'a.mcap', some(), chunk=0), 23_000)


@told(
    ALL,
    'a.mcap is cut short or damaged at byte N of N: the 13 messages before it are read',
)
def _cut_within_the_summary(path: Path) -> Path:
    file = write_mcap(path / 'a.mcap', some(), index=False)
    return cut(file, file.read_bytes().rindex(b'\x0f\4\0\0\0\0\0\0\0') + 13)


@told(
    ALL[:5],
    'metadata.yaml of BAG does not count as its files do: 12 messages on /camera/image_raw, not 5',
    'bag_0.mcap is cut short or damaged at byte N of N: the 6 messages before it are read',
)
def _cut_beside_metadata(path: Path) -> Path:
    folder = join(path / 'bag', write_mcap(path / 'a.mcap', some()))
    file = only_file(folder)
    cut(file, chunk_starts(file)[2])
    return folder


def damage(file: Path, at: int) -> Path:
    data = bytearray(file.read_bytes())
    data[at] ^= 0x55
    file.write_bytes(data)
    return file


@told(
    ALL[:2] + ALL[5:],
    '9 of 12 messages on /camera/image_raw in BAG can be read',
    'a.mcap is damaged at byte N (its checksum differs): what was there is not read',
)
def _a_chunk_with_another_checksum(path: Path) -> Path:
    file = write_mcap(path / 'a.mcap', some())
    return damage(file, chunk_starts(file)[1] + 5000)


@told(ALL)
def _a_chunk_with_another_length(path: Path) -> Path:
    """The summary has the right one."""
    file = write_mcap(path / 'a.mcap', some())
    return damage(file, chunk_starts(file)[1] + 6)


@told(
    ALL[:2],
    'a.mcap is damaged at byte N (a record has no possible length, up to byte N): what was there '
    'is not read',
)
def _a_chunk_with_another_length_and_no_summary(path: Path) -> Path:
    file = write_mcap(path / 'a.mcap', some(), summary=False)
    return damage(file, chunk_starts(file)[1] + 6)


@told(
    ALL,
    'a.mcap is damaged at byte N (a record has no possible length, up to byte N): what was there '
    'is not read',
)
def _a_message_index_with_another_length(path: Path) -> Path:
    """Nothing is lost but the index."""
    file = write_mcap(path / 'a.mcap', some())
    start = chunk_starts(file)[1]
    length = int.from_bytes(file.read_bytes()[start + 1 : start + 9], 'little')
    return damage(file, start + 9 + length + 6)


@told(
    ALL[:2] + ALL[5:8] + ALL[11:],
    '6 of 12 messages on /camera/image_raw in BAG can be read',
    'a.mcap is damaged in 2 places, first at byte N (its checksum differs): what was there is not '
    'read',
)
def _two_chunks_with_another_checksum(path: Path) -> Path:
    file = write_mcap(path / 'a.mcap', some())
    starts = chunk_starts(file)
    return damage(damage(file, starts[1] + 5000), starts[3] + 5000)


@told(ALL)
def _a_chunk_that_says_other_times(path: Path) -> Path:
    file = write_mcap(path / 'a.mcap', some(), index=False)
    return damage(file, chunk_starts(file)[1] + 13)


@told(ALL)
def _a_summary_with_another_checksum(path: Path) -> Path:
    """Its topics and numbers are not believed."""
    file = write_mcap(path / 'a.mcap', some())
    return damage(file, file.read_bytes().rindex(b'/camera') + 3)


@told(ALL, 'BAG has no metadata.yaml, as if its recorder was interrupted')
def _no_metadata(path: Path) -> Path:
    folder = write_bag(path / 'bag', some())
    (folder / 'metadata.yaml').unlink()
    return folder


@told(
    ALL,
    'BAG has no metadata.yaml, as if its recorder was interrupted',
    'the 2 files of BAG are read as parts of one bag',
)
def _parts_without_metadata(path: Path) -> Path:
    parts = write_mcap(path / 'a.mcap', some(0, 6)), write_mcap(path / 'b.mcap', some(6, 6))
    return join(path / 'bag', *parts, listed=False)


@told(
    ALL[:4] + ALL[8:],
    'BAG has no metadata.yaml, as if its recorder was interrupted',
    'the 2 files of BAG are read as parts of one bag',
    'of BAG the parts 1 are missing',
)
def _a_part_missing_without_metadata(path: Path) -> Path:
    parts = [write_mcap(path / f'{k}.mcap', some(4 * k, 4)) for k in range(3)]
    folder = join(path / 'bag', *parts, listed=False)
    (folder / 'bag_1.mcap').unlink()
    return folder


@told(
    ALL[:6],
    'metadata.yaml of BAG lists bag_1.mcap, which is missing: its messages are not read',
    'metadata.yaml of BAG does not count as its files do: 12 messages on /camera/image_raw, not 6',
)
def _a_part_missing(path: Path) -> Path:
    parts = write_mcap(path / 'a.mcap', some(0, 6)), write_mcap(path / 'b.mcap', some(6, 6))
    folder = join(path / 'bag', *parts)
    (folder / 'bag_1.mcap').unlink()
    return folder


@told(ALL, 'metadata.yaml of BAG lists bag.mcap; other.mcap is read instead')
def _a_renamed_file(path: Path) -> Path:
    folder = write_bag(path / 'bag', some())
    only_file(folder).rename(folder / 'other.mcap')
    return folder


@told(
    ALL,
    'metadata.yaml of BAG does not list bag_2.mcap: read too, as it goes on',
    'metadata.yaml of BAG does not list lunch.mcap: not read',
    'metadata.yaml of BAG does not count as its files do: 8 messages on /camera/image_raw, not 12',
)
def _files_that_are_not_listed(path: Path) -> Path:
    parts = [write_mcap(path / f'{k}.mcap', some(4 * k, 4)) for k in range(3)]
    folder = join(path / 'bag', *parts[:2])
    shutil.move(parts[2], folder / 'bag_2.mcap')
    write_mcap(folder / 'lunch.mcap', some(COUNT, 4))
    return folder


@told(
    ALL,
    '12 messages of bag_1.mcap are in another file of the bag, too: read once',
)
def _a_part_twice(path: Path) -> Path:
    parts = [write_mcap(path / f'{k}.mcap', some()) for k in range(2)]
    return join(path / 'bag', *parts)


@told(
    ALL,
    'metadata.yaml of BAG does not count as its files do: 8 messages on /camera/image_raw, not 12; '
    '3 messages on /topreward/task, not 1',
)
def _other_counts(path: Path) -> Path:
    def change(bag: dict[str, Any]) -> None:
        for topic in bag['topics_with_message_count']:
            topic['message_count'] = 8 if topic['message_count'] == COUNT else 3

    return edit_metadata(write_bag(path / 'bag', some()), change)


@told(
    ALL,
    'metadata.yaml of BAG cannot be used (it has no rosbag2_bagfile_information): it is read '
    'without it',
)
def _empty_metadata(path: Path) -> Path:
    folder = write_bag(path / 'bag', some())
    (folder / 'metadata.yaml').write_text('')
    return folder


@told(
    ALL,
    'metadata.yaml of BAG cannot be used (a list stands where a text was expected): it is read '
    'without it',
)
def _metadata_that_never_ends(path: Path) -> Path:
    """Lists of lists, as text 10^30 long."""
    folder = write_bag(path / 'bag', some())
    lines = [f'a{k + 1}: &a{k + 1} [{", ".join([f"*a{k}"] * 10)}]' for k in range(30)]
    lines += ['rosbag2_bagfile_information:', '  relative_file_paths: *a30']
    (folder / 'metadata.yaml').write_text('\n'.join(['a0: &a0 ha', *lines]))
    return folder


@told(ALL, 'bag.db3 was not closed by its recorder: what bag.db3-wal adds is read')
def _a_database_with_its_log(path: Path) -> Path:
    """The last messages are only in the log, as after a crash in WAL mode."""
    folder = write_bag(path / 'bag', some(), 'sqlite')
    file = only_file(folder)
    with sqlite3.connect(file) as database:
        rows = database.execute('SELECT * FROM messages ORDER BY id').fetchall()
        database.execute('DELETE FROM messages WHERE id > 5')
    database.execute('PRAGMA journal_mode = WAL')
    database.executemany('INSERT INTO messages VALUES (?, ?, ?, ?)', rows[5:])
    database.commit()
    crashed = path / 'crashed'
    shutil.copytree(folder, crashed)
    database.close()
    assert sorted(file.name for file in crashed.iterdir())[:2] == ['bag.db3', 'bag.db3-shm']
    return crashed


@told(
    ALL[:8],
    'bag.db3 was not closed by its recorder: what bag.db3-journal takes back is not read',
    'metadata.yaml of BAG does not count as its files do: 12 messages on /camera/image_raw, not 8',
)
def _a_database_with_its_journal(path: Path) -> Path:
    """Cut within a transaction, which SQLite takes back: its four messages were never complete."""
    folder = write_bag(path / 'bag', some(), 'sqlite')
    database = sqlite3.connect(only_file(folder))
    rows = database.execute('SELECT * FROM messages ORDER BY id').fetchall()
    database.execute('DELETE FROM messages WHERE id > 9')
    database.commit()
    database.execute('PRAGMA cache_size = 1')
    database.executemany('INSERT INTO messages VALUES (?, ?, ?, ?)', rows[9:])
    crashed = path / 'crashed'
    shutil.copytree(folder, crashed)
    database.close()
    return crashed


@told(
    ALL[:8],
    'metadata.yaml of BAG does not count as its files do: 12 messages on /camera/image_raw, not 8',
    'bag.db3 has 4 messages of unknown topics: they are not read',
)
def _messages_of_no_topic(path: Path) -> Path:
    folder = write_bag(path / 'bag', some(), 'sqlite')
    with sqlite3.connect(only_file(folder)) as database:
        database.execute('UPDATE messages SET topic_id = 77 WHERE id > 9')
    database.close()
    return folder


@told(
    ALL[:11],
    '11 of 12 messages on /camera/image_raw in BAG can be read; of another it is cut short, or '
    'too large',
)
def _a_packed_message_that_is_cut(path: Path) -> Path:
    folder = write_bag(path / 'bag', some(), 'sqlite', CompressionMode.MESSAGE)
    with sqlite3.connect(only_file(folder)) as database:
        database.execute('UPDATE messages SET data = substr(data, 1, 900) WHERE id = 13')
    database.close()
    return folder


@told(ALL[:1] + ALL[4:], '9 of 12 messages on /camera/image_raw in BAG can be read')
def _times_that_cannot_be(path: Path) -> Path:
    folder = write_bag(path / 'bag', some(), 'sqlite')
    with sqlite3.connect(only_file(folder)) as database:
        database.execute("UPDATE messages SET timestamp = 'noon' WHERE id = 3")
        database.execute('UPDATE messages SET timestamp = -7 WHERE id = 4')
        database.execute('UPDATE messages SET timestamp = 1e30 WHERE id = 5')
    database.close()
    return folder


@pytest.mark.parametrize(('build', 'numbers', 'warnings'), TOLD)
def test_a_fault_is_told(
    tmp_path: Path, build: Build, numbers: list[int], warnings: list[str]
) -> None:
    assert read(build(tmp_path)) == (numbers, warnings)


def test_the_place_of_damage(tmp_path: Path) -> None:
    file = write_mcap(tmp_path / 'a.mcap', some())
    second = chunk_starts(file)[1]
    with Bag(damage(file, second + 5000)) as bag:
        assert len(list(bag.images())) == COUNT - 3
        assert f'a.mcap is damaged at byte {second} (' in bag.warnings[-1]
    with Bag(cut(file, second)) as bag:
        assert f'damaged at byte {second} of {second}: the 3 messages' in bag.warnings[-1]


# Kind: what cannot be read is refused, with the reason


REFUSED: list[Any] = []


def refused(kind: type[BagError], reason: str) -> Callable[[Build], Build]:
    """Register a bag that is refused for this reason, in which BAG is its path."""

    def register(build: Build) -> Build:
        REFUSED.append(pytest.param(build, kind, reason, id=build.__name__.strip('_')))
        return build

    return register


@refused(
    BagError, 'BAG/bag.mcap is a link out of its folder, which is not followed: copy the file there'
)
def _a_link_out_of_the_folder(path: Path) -> Path:
    folder = write_bag(path / 'bag', some())
    shutil.move(only_file(folder), path / 'elsewhere.mcap')
    (folder / 'bag.mcap').symlink_to(path / 'elsewhere.mcap')
    return folder


@refused(
    BagError,
    'metadata.yaml of BAG lists ../elsewhere.mcap, which lies outside of it: not read',
)
def _a_file_out_of_the_folder(path: Path) -> Path:
    folder = write_bag(path / 'bag', some())
    shutil.copy(only_file(folder), path / 'elsewhere.mcap')
    return edit_metadata(folder, lambda bag: bag.update(relative_file_paths=['../elsewhere.mcap']))


@refused(
    MissingMetadataError,
    'BAG holds 2 recordings, such as lunch.mcap, and no usable metadata.yaml that says whether '
    'they are one bag: give them one by one',
)
def _several_recordings(path: Path) -> Path:
    (path / 'bag').mkdir()
    write_mcap(path / 'bag' / 'monday.mcap', some())
    write_mcap(path / 'bag' / 'lunch.mcap', some())
    return path / 'bag'


@refused(BrokenBagError, 'metadata.yaml of BAG lists bag.mcap, of which nothing is there')
def _nothing_left(path: Path) -> Path:
    folder = write_bag(path / 'bag', some())
    only_file(folder).unlink()
    return folder


@refused(MissingBagError, 'BAG holds no rosbag: expected metadata.yaml and .mcap or .db3')
def _only_hidden_files(path: Path) -> Path:
    (path / 'bag').mkdir()
    (path / 'bag' / '._bag.mcap').write_bytes(b'mac')
    return path / 'bag'


@refused(
    BrokenBagError,
    'BAG holds no messages; a.mcap is cut short or damaged at byte 94 of 150: the 0 messages '
    'before it are read',
)
def _cut_before_the_first_message(path: Path) -> Path:
    return cut(write_mcap(path / 'a.mcap', some(), chunk=0), 150)


@refused(
    BrokenBagError,
    'BAG: it is cut short: 30000 of its 77824 bytes are left; if it was copied, copy it again',
)
def _a_database_that_is_cut(path: Path) -> Path:
    return cut(only_file(write_bag(path / 'bag', some(), 'sqlite')), 30_000)


@refused(BrokenBagError, 'BAG: it begins as neither MCAP nor SQLite')
def _another_content(path: Path) -> Path:
    (path / 'a.db3').write_text('not a bag')
    return path / 'a.db3'


@refused(UnsupportedBagError, "BAG: its chunks are compressed by 'zzzz': not supported")
def _another_compression(path: Path) -> Path:
    file = write_mcap(path / 'a.mcap', some(), compression='zstd', summary=False)
    file.write_bytes(file.read_bytes().replace(b'\4\0\0\0zstd', b'\4\0\0\0zzzz'))
    return file


@pytest.mark.parametrize(('build', 'kind', 'reason'), REFUSED)
def test_what_cannot_be_read_is_refused(
    tmp_path: Path, build: Build, kind: type[BagError], reason: str
) -> None:
    path = build(tmp_path)
    with pytest.raises(BagError) as caught:
        read(path)
    assert (type(caught.value), str(caught.value).replace(str(path), 'BAG')) == (kind, reason)
    for tool in ('mcap recover', 'reindex', '.recover', 'sqlite3 '):  # nobody has to have them
        assert tool not in str(caught.value)


# Kind: messages that are broken among good ones are counted and said, whatever their type and time


def test_broken_images_among_good_ones(tmp_path: Path) -> None:
    """All have the same time and two are alike, yet each counts."""
    messages = [message._replace(time=7) for message in images(1, COUNT)]
    messages[3] = messages[3]._replace(data=b'')
    messages[4] = messages[4]._replace(data=b'')
    messages[5] = messages[5]._replace(data=messages[5].data[:-1])
    messages[6] = messages[6]._replace(data=messages[6].data[:-9])
    source = open_bag(str(write_mcap(tmp_path / 'a.mcap', messages)), 'a', SourceOptions(task='a'))
    for _ in range(2):
        frames = source.recordings[0].clip.frames()
        assert [NUMBERS[shown.tobytes()] for _, shown in frames] == ALL[:3] + ALL[7:]
    assert source.warnings == [
        'a: 4 images were skipped; the last one: the message of 3879 bytes cannot be read: '
        'Invalid sequence length 3840 at offset 44.'
    ]
    source.close()


def test_what_is_lost_is_a_note_of_the_recording(tmp_path: Path) -> None:
    """So `evaluate` and `calibrate` tell it too, which know recordings only."""
    file = write_mcap(tmp_path / 'a.mcap', some())
    (recording,) = open_recordings([str(cut(file, chunk_starts(file)[2]))], SourceOptions())
    place = f'at byte {file.stat().st_size} of {file.stat().st_size}'
    assert recording.clip.notes == [
        f'a.mcap is cut short or damaged {place}: the 6 messages before it are read'
    ]


def test_broken_tasks_among_good_ones(tmp_path: Path) -> None:
    broken = [
        Recorded(TASK, STRING, 3 * SECOND // 2, b''),
        Recorded(TASK, STRING, 8 * SECOND // 5, text(0, 'Another').data[:-3]),
    ]
    messages = sorted([*some(), *broken], key=lambda message: message.time)
    file = write_mcap(tmp_path / 'a.mcap', messages)
    source = open_bag(str(file), 'a', SourceOptions())
    ((recording,), (episode,)) = source.recordings, source.episodes
    assert (recording.task, len(episode.cut.stamps)) == ('Do it.', COUNT)
    assert source.warnings == [
        f'2 messages on {TASK} in {file} are passed over; the last one: the message of 13 bytes '
        'cannot be read: Invalid string length 8 at offset 0.'
    ]
    source.close()


def test_another_type_among_images(tmp_path: Path) -> None:
    parts = [
        write_mcap(tmp_path / 'a.mcap', some()),
        write_mcap(tmp_path / 'b.mcap', [text(9 * SECOND, 'no image', CAMERA)]),
    ]
    (tmp_path / 'bag').mkdir()
    for k, part in enumerate(parts):
        shutil.move(part, tmp_path / 'bag' / f'bag_{k}.mcap')
    with Bag(tmp_path / 'bag') as bag:
        assert len(list(bag.frames())) == COUNT
        assert (bag.skipped, bag.skip_reason) == (1, 'it is a std_msgs/msg/String')


def test_images_of_one_stamp(tmp_path: Path) -> None:
    messages = [raw(5, pixels(k))._replace(time=k) for k in range(COUNT)]
    source = open_bag(str(write_mcap(tmp_path / 'a.mcap', messages)), 'a', SourceOptions(task='a'))
    assert source.warnings == [
        'a: all 12 images have the stamp 5 ns, so only one of them is scored: the camera does not '
        'set its stamps'
    ]
    source.close()


def test_a_bag_that_changes_while_it_is_scored(tmp_path: Path) -> None:
    file = write_mcap(tmp_path / 'a.mcap', some())
    with Bag(file) as bag:
        (episode,) = bag_episodes(bag, SourceOptions())
        bag.release()
        write_mcap(file, some()[:9])
        with pytest.raises(BrokenBagError, match=r'a\.mcap has changed since its episodes were'):
            list(episode.clip.frames())


# Kind: a copy with scores holds what was read


@pytest.mark.parametrize('build', [two_qos, two_storages, interleaved, two_packings])
def test_the_copy_of_a_bag_whose_parts_differ(tmp_path: Path, build: Build) -> None:
    with Bag(build(tmp_path)) as bag:
        write_scored_bag(bag, tmp_path / 'copy', [])
    assert read(tmp_path / 'copy') == (ALL, [])


def test_the_copy_has_the_qos_of_the_file(tmp_path: Path) -> None:
    with Bag(set_qos('')(tmp_path)) as bag:
        write_scored_bag(bag, tmp_path / 'copy', [])
    with Bag(tmp_path / 'copy') as bag:
        camera = next(each for each in bag.connections if each.topic == CAMERA)
    (qos,) = camera.ext.offered_qos_profiles  # type: ignore[union-attr]
    assert qos.depth == 5 and qos.durability.name == 'VOLATILE'


def test_no_copy_where_a_type_has_two_definitions(tmp_path: Path) -> None:
    """A bag could hold only one of them."""
    with (
        Bag(two_definitions(tmp_path)) as bag,
        pytest.raises(UnsupportedBagError, match=r'Image has two definitions in .*/bag: its files'),
    ):
        write_scored_bag(bag, tmp_path / 'copy', [])
    assert not (tmp_path / 'copy').exists()


# Kind: what is a bag at all


def test_what_is_taken_for_a_bag(tmp_path: Path) -> None:
    def is_bag(name: str) -> bool:
        path = tmp_path / name
        return FORMATS['bag'].recognises(str(path), path)

    for name in ('videos', 'hidden', 'packed', 'pictures', 'emptied'):
        (tmp_path / name).mkdir()
    (tmp_path / 'pictures' / 'metadata.yaml').write_text('author: somebody')
    (tmp_path / 'emptied' / 'metadata.yaml').write_text('rosbag2_bagfile_information: {}')
    (tmp_path / 'videos' / 'run.mcap.avi').touch()
    (tmp_path / 'hidden' / '._a.mcap').touch()
    (tmp_path / 'packed' / 'a.mcap.zstd').touch()
    for name in ('a.mcap', 'a.db3', 'a.mcap.zstd', 'a.bag', 'packed', 'emptied'):
        assert is_bag(name), name
    for name in ('run.mcap.avi', 'a.db3.mp4', 'x.avi', 'videos', 'hidden', 'pictures'):
        assert not is_bag(name), name


# Kind: any damage at all


WHOLE_FILES: dict[str, bytes] = {}
RECORDED = {  # as recorders write, with what tells how much should be there
    'chunks': {'crc': True},
    'packed': {'compression': 'zstd'},
    'no checksum': {'crc': False},
    'no message index': {'index': False, 'compression': 'lz4'},
    'no chunks': {'chunk': 0},
}


@pytest.fixture(scope='module')
def whole_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    path = tmp_path_factory.mktemp('whole')
    small = [raw(SECOND + k, np.full((3, 4, 3), k, np.uint8), delay=k) for k in range(COUNT)]
    files: dict[str, bytes] = {
        name: write_mcap(path / 'a.mcap', small, **options).read_bytes()
        for name, options in RECORDED.items()
    }
    files['sqlite'] = only_file(write_bag(path / 'bag', small, 'sqlite')).read_bytes()
    return files


@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    end=st.none() | st.floats(0, 1),
    flips=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 7)), max_size=3),
)
@pytest.mark.parametrize('form', [*RECORDED, 'sqlite'])
def test_any_damage(
    tmp_path: Path,
    whole_files: dict[str, bytes],
    form: str,
    end: float | None,
    flips: list[tuple[float, int]],
) -> None:
    """All messages are read, or fewer and it is said, or a BagError is raised: nothing else."""
    data = bytearray(whole_files[form])
    for place, bit in flips:
        data[min(int(place * len(data)), len(data) - 1)] ^= 1 << bit
    file = tmp_path / ('a.db3' if form == 'sqlite' else 'a.mcap')
    file.write_bytes(data if end is None else data[: int(end * len(data))])
    try:
        with Bag(file) as bag:
            read = sum(1 for _ in bag.messages())
            told = bag.warnings
    except BagError:
        return
    assert read == COUNT or (read < COUNT and told)


@settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(start=st.floats(0, 1), length=st.integers(0, 300), text=st.text(max_size=30))
def test_any_damage_of_metadata(tmp_path: Path, start: float, length: int, text: str) -> None:
    """All messages are read, or a BagError is raised: nothing else."""
    folder = tmp_path / 'bag'
    shutil.rmtree(folder, ignore_errors=True)
    write_bag(folder, some()[:3])
    file = folder / 'metadata.yaml'
    data = file.read_bytes()
    at = int(start * len(data))
    file.write_bytes(data[:at] + text.encode('utf-8', 'surrogatepass') + data[at + length :])
    try:
        assert read(folder)[0] == ALL[:2]
    except BagError:
        return
