# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Bags of every format are read, and broken bags raise the error that fits."""

from __future__ import annotations

import dataclasses
import random
import shutil
import sqlite3
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from rosbags.rosbag2 import CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from topreward_ros.errors import TopRewardError
from topreward_ros.recordings.bags import errors as bag_errors
from topreward_ros.recordings.bags.errors import (
    BagError,
    BrokenBagError,
    EmptyBagError,
    MissingBagError,
    NoImageTopicError,
    SeveralImageTopicsError,
    UndecodableImagesError,
    UnsupportedBagError,
    WrongTopicTypeError,
)
from topreward_ros.recordings.bags.reader import Bag
from topreward_ros.recordings.clip import ClipError

from .bag_builder import (
    CAMERA,
    COMPRESSED,
    IMAGE,
    JAZZY,
    SECOND,
    STRING,
    Recorded,
    break_chunk,
    header,
    images,
    only_file,
    packed,
    pixels,
    raw,
    serialise,
    text,
    write_bag,
)

KINDS = [
    ('mcap', CompressionMode.NONE),
    ('mcap', CompressionMode.FILE),
    ('mcap', CompressionMode.MESSAGE),
    ('mcap', CompressionMode.STORAGE),
    ('sqlite', CompressionMode.NONE),
    ('sqlite', CompressionMode.FILE),
    ('sqlite', CompressionMode.MESSAGE),
]
DELAY = 7_000_000


def some() -> list[Recorded]:
    stamps = [SECOND + k * SECOND // 10 for k in range(5)]
    return [
        text(SECOND // 2, 'Do it.'),
        *(raw(stamp, pixels(k), delay=DELAY) for k, stamp in enumerate(stamps)),
    ]


def check(bag: Bag) -> None:
    for _ in range(2):
        bag.release()
        assert not bag._storage.is_open
        read = list(bag.frames())
        assert len(read) == 5
        for k, (image, shown) in enumerate(read):
            assert image.stamp == SECOND + k * SECOND // 10
            assert image.time == image.stamp + DELAY
            assert (image.topic, image.frame_id) == (CAMERA, 'eye')
            assert np.array_equal(shown, pixels(k))
    assert bag.skipped == 0 and bag.warnings == []


@pytest.mark.parametrize(('storage', 'compression'), KINDS)
def test_every_kind_of_bag(tmp_path: Path, storage: str, compression: CompressionMode) -> None:
    with Bag(write_bag(tmp_path / 'bag', some(), storage, compression)) as bag:
        assert [tuple(topic) for topic in bag.topics] == [
            (CAMERA, IMAGE, 5),
            ('/topreward/task', STRING, 1),
        ]
        assert (bag.name, bag.image_topic) == ('bag', CAMERA)
        check(bag)
        (message,) = bag.messages(['/topreward/task'])
        assert bag.read(message).data == 'Do it.' and message.time == SECOND // 2


@pytest.mark.parametrize('storage', ['mcap', 'sqlite'])
def test_a_single_file(tmp_path: Path, storage: str) -> None:
    file = only_file(write_bag(tmp_path / 'bag', some(), storage))
    shutil.move(file, tmp_path / f'alone{file.suffix}')
    with Bag(tmp_path / f'alone{file.suffix}') as bag:
        assert bag.name == 'alone'
        check(bag)
    with pytest.raises(ValueError, match='is closed'):
        next(bag.images())


def test_compressed_images(tmp_path: Path) -> None:
    messages = [packed(k * SECOND, pixels(k)) for k in range(3)]
    with Bag(write_bag(tmp_path / 'bag', messages)) as bag:
        read = list(bag.frames())
    assert [image.stamp for image, _ in read] == [0, SECOND, 2 * SECOND]
    assert all(np.array_equal(shown, pixels(k)) for k, (_, shown) in enumerate(read))


def test_the_other_byte_order(tmp_path: Path) -> None:
    message = raw(5 * SECOND + 3, pixels(0), little_endian=False)
    with Bag(write_bag(tmp_path / 'bag', [message])) as bag:
        ((image, shown),) = bag.frames()
    assert (image.stamp, image.frame_id) == (5 * SECOND + 3, 'eye')
    assert np.array_equal(shown, pixels(0))


# Types


def test_a_bag_is_read_by_its_own_definitions(tmp_path: Path) -> None:
    """An Image with one more field before the data, as in a possible later distribution."""
    definition, _ = JAZZY.generate_msgdef(IMAGE, ros_version=2)
    definition = definition.replace('uint8[] data', 'string colour_space\nuint8[] data', 1)
    types = get_typestore(Stores.EMPTY)
    types.register(get_types_from_msg(definition, IMAGE))
    plain = JAZZY.deserialize_cdr(raw(SECOND, pixels(0)).data, IMAGE)
    fields = {field.name: getattr(plain, field.name) for field in dataclasses.fields(plain)}
    message = types.types[IMAGE](**fields, colour_space='srgb')
    for storage in (StoragePlugin.MCAP, StoragePlugin.SQLITE3):
        folder = tmp_path / storage.name
        with Writer(folder, version=9, storage_plugin=storage) as writer:
            connection = writer.add_connection(CAMERA, IMAGE, typestore=types)
            writer.write(connection, SECOND, types.serialize_cdr(message, IMAGE))
        with Bag(folder) as bag:
            ((_, shown),) = bag.frames()
        assert np.array_equal(shown, pixels(0))


def test_a_bag_without_definitions(tmp_path: Path) -> None:
    """SQLite as written by Humble."""
    folder = write_bag(tmp_path / 'bag', some(), 'sqlite')
    with sqlite3.connect(only_file(folder)) as database:
        database.executescript('DROP TABLE schema; DROP TABLE message_definitions;')
    database.close()
    with Bag(folder) as bag:
        assert not bag.connections[0].msgdef.data
        check(bag)


def test_a_definition_without_a_header(tmp_path: Path) -> None:
    with Writer(tmp_path / 'bag', version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connection = writer.add_connection(
            CAMERA, IMAGE, msgdef='uint32 height\nuint8[] data\n', rihs01='RIHS01_0'
        )
        writer.write(connection, 0, b'\x00\x01\x00\x00' + bytes(20))
    with pytest.raises(UnsupportedBagError, match='definition of sensor_msgs/msg/Image'):
        Bag(tmp_path / 'bag')


# Topics


@pytest.fixture
def two_cameras(tmp_path: Path) -> Path:
    messages = [raw(0, pixels(0)), packed(0, pixels(1), '/left/compressed'), text(0, 'Do it.')]
    return write_bag(tmp_path / 'two', messages)


def test_several_image_topics(two_cameras: Path) -> None:
    with pytest.raises(
        SeveralImageTopicsError,
        match='/camera/image_raw, /left/compressed: choose one with --image-topic',
    ):
        Bag(two_cameras)
    for name in ('/left/compressed', 'left/compressed'):
        with Bag(two_cameras, name) as bag:
            ((image, shown),) = bag.frames()
        assert image.topic == '/left/compressed' and np.array_equal(shown, pixels(1))


def test_a_topic_that_is_missing_or_of_another_type(two_cameras: Path) -> None:
    with pytest.raises(NoImageTopicError, match=r'no topic /right; it has .*/left/compressed'):
        Bag(two_cameras, '/right')
    with pytest.raises(WrongTopicTypeError, match=r'/topreward/task .* is a topic of std_msgs'):
        Bag(two_cameras, '/topreward/task')


def test_the_topic_that_is_not_empty_is_chosen(tmp_path: Path) -> None:
    empty = [(f'{CAMERA}/compressed', COMPRESSED)]
    with Bag(write_bag(tmp_path / 'bag', some(), empty=empty)) as bag:
        check(bag)
    with pytest.raises(EmptyBagError, match=r'compressed .* holds no messages'):
        Bag(tmp_path / 'bag', f'{CAMERA}/compressed')


# Images that cannot be read


def test_images_that_cannot_be_decoded_are_skipped_and_counted(tmp_path: Path) -> None:
    messages = [packed(k * SECOND, pixels(k)) for k in range(4)]
    kind = messages[0].type
    broken = np.frombuffer(b'\xff\xd8\xff nothing', np.uint8)
    data = serialise(kind, header=header(SECOND), format='jpeg', data=broken)
    messages[1] = messages[1]._replace(data=data)
    messages[2] = messages[2]._replace(data=b'\x00\x01\x00\x00\x02\x00')
    with Bag(write_bag(tmp_path / 'bag', messages)) as bag:
        for _ in range(2):
            assert [image.time for image, _ in bag.frames()] == [0, 3 * SECOND]
        assert bag.skipped == 2 and bag.skip_reason == 'the message of 6 bytes has no CDR header'


def test_a_negative_stamp_is_rejected(tmp_path: Path) -> None:
    message = raw(0, pixels(0))
    data = message.data[:4] + (-3).to_bytes(4, 'little', signed=True) + message.data[8:]
    folder = write_bag(tmp_path / 'bag', [message._replace(data=data), raw(SECOND, pixels(1))])
    with Bag(folder) as bag:
        assert [image.stamp for image in bag.images()] == [SECOND]
        assert bag.skipped == 1


def test_no_image_that_can_be_decoded(tmp_path: Path) -> None:
    fields = {'height': 4, 'width': 4, 'encoding': 'rgb8', 'is_bigendian': 0, 'step': 12}
    data = serialise(IMAGE, header=header(0), **fields, data=np.zeros(7, np.uint8))
    with Bag(write_bag(tmp_path / 'bag', [Recorded(CAMERA, IMAGE, 0, data)])) as bag:
        with pytest.raises(UndecodableImagesError, match='but has 7 bytes'):
            list(bag.frames())
        assert bag.skipped == 1


# Bags that are broken


def edit(file: Path, *changes: tuple[str, str]) -> None:
    content = file.read_text(encoding='utf-8')
    for old, new in changes:
        assert old in content
        content = content.replace(old, new)
    file.write_text(content, encoding='utf-8')


def cut(file: Path, share: float) -> None:
    file.write_bytes(file.read_bytes()[: int(file.stat().st_size * share)])


FAULTS: list = []


def fault(name: str, kind: type[BagError], match: str) -> Callable:
    """Registers a way to break a bag."""

    def register(function: Callable[[Path], Path]) -> Callable[[Path], Path]:
        FAULTS.append(pytest.param(function, kind, match, id=name))
        return function

    return register


@fault('missing path', MissingBagError, 'does not exist')
def _nothing(path: Path) -> Path:
    return path / 'none'


@fault('empty folder', MissingBagError, 'holds no rosbag')
def _empty_folder(path: Path) -> Path:
    (path / 'empty').mkdir()
    return path / 'empty'


@fault('empty MCAP', BrokenBagError, 'empty')
def _no_bytes(path: Path) -> Path:
    (path / 'none.mcap').touch()
    return path / 'none.mcap'


@fault('MCAP with another content', BrokenBagError, 'neither MCAP nor SQLite')
def _no_mcap(path: Path) -> Path:
    (path / 'text.mcap').write_text('not a bag' * 100)
    return path / 'text.mcap'


@fault('MCAP whose only chunk is broken', BrokenBagError, 'cannot be decompressed')
def _broken_chunk(path: Path) -> Path:
    folder = write_bag(path / 'bag', images(0, 20), 'mcap', CompressionMode.STORAGE)
    break_chunk(only_file(folder))
    return folder


@fault('SQLite with another content', BrokenBagError, 'neither MCAP nor SQLite')
def _no_sqlite(path: Path) -> Path:
    (path / 'text.db3').write_text('not a bag' * 100)
    return path / 'text.db3'


@fault('truncated compressed file', BrokenBagError, 'cut short')
def _cut_zstd(path: Path) -> Path:
    folder = write_bag(path / 'bag', images(0, 20), 'mcap', CompressionMode.FILE)
    cut(only_file(folder), 0.7)
    return folder


@fault('unsupported compression', UnsupportedBagError, "by 'lz4', which is not supported")
def _lz4(path: Path) -> Path:
    folder = write_bag(path / 'bag', some(), 'mcap', CompressionMode.MESSAGE)
    edit(folder / 'metadata.yaml', ('compression_format: zstd', 'compression_format: lz4'))
    return folder


@fault('unsupported serialisation of a file', UnsupportedBagError, "as 'json'; expected cdr")
def _serialisation_of_file(path: Path) -> Path:
    with Writer(path / 'bag', version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connection = writer.add_connection(
            CAMERA, IMAGE, typestore=JAZZY, serialization_format='json'
        )
        writer.write(connection, 0, b'{}')
    return only_file(path / 'bag')


@fault('a bag of ROS 1', UnsupportedBagError, 'rosbags-convert')
def _ros1(path: Path) -> Path:
    (path / 'old.bag').write_bytes(b'#ROSBAG V2.0\n')
    return path / 'old.bag'


@fault('a video', UnsupportedBagError, 'is no rosbag')
def _video(path: Path) -> Path:
    (path / 'a.mp4').touch()
    return path / 'a.mp4'


@fault('no image topic', NoImageTopicError, r'it has /topreward/task \(std_msgs/msg/String\)')
def _no_image_topic(path: Path) -> Path:
    return write_bag(path / 'bag', [text(0, 'Do it.')])


@fault('no messages', EmptyBagError, 'holds no messages')
def _no_messages(path: Path) -> Path:
    return write_bag(path / 'bag', [], empty=[(CAMERA, IMAGE)])


@fault('no images', EmptyBagError, '/camera/image_raw .* holds no messages')
def _no_images(path: Path) -> Path:
    return write_bag(path / 'bag', [text(0, 'Do it.')], empty=[(CAMERA, IMAGE)])


@pytest.mark.parametrize(('break_bag', 'kind', 'match'), FAULTS)
def test_broken_bags_raise_the_error_that_fits(
    tmp_path: Path, break_bag: Callable[[Path], Path], kind: type[BagError], match: str
) -> None:
    path = break_bag(tmp_path)
    with pytest.raises(kind, match=match) as caught, Bag(path) as bag:
        list(bag.frames())
    assert type(caught.value) is kind
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(('storage', 'compression'), KINDS)
def test_damage_anywhere_is_a_bag_error(
    tmp_path: Path, storage: str, compression: CompressionMode
) -> None:
    """Only a BagError is raised, and no more images than the bag has are read."""
    folder = write_bag(tmp_path / 'bag', images(0, 12), storage, compression)
    file = only_file(folder)
    whole = file.read_bytes()
    dice = random.Random(f'{storage} {compression}')
    errors = 0
    for _ in range(25):
        damaged = bytearray(whole)
        for _ in range(dice.choice((1, 8))):
            at = dice.choice(
                (dice.randrange(len(whole)), dice.randrange(200), -dice.randrange(600))
            )
            damaged[at] = dice.randrange(256)
        file.write_bytes(damaged[: dice.choice((None, dice.randrange(len(whole))))])
        try:
            with Bag(folder) as bag:
                assert len(list(bag.frames())) <= 12
        except BagError:
            errors += 1
    assert errors


def test_every_fault_has_its_own_exit_code() -> None:
    kinds = [
        kind
        for kind in vars(bag_errors).values()
        if isinstance(kind, type) and issubclass(kind, BagError)
    ]
    codes = {kind.exit_code for kind in kinds}
    assert codes == set(range(10, 10 + len(kinds))) and len(kinds) == 10
    for kind in kinds:
        assert f'|   {kind.exit_code} | {kind.__name__} ' in (bag_errors.__doc__ or '')
    assert TopRewardError.exit_code == ClipError.exit_code == 1


# Memory


@pytest.mark.parametrize('storage', ['mcap', 'sqlite'])
def test_a_long_bag_needs_no_more_memory(tmp_path: Path, storage: str) -> None:
    """Ten times as many images, recorded with 40 KB each, fit within the same two megabytes."""
    message = packed(0, pixels(0, 96, 144), kind='PNG')
    size = len(message.data)
    peaks = []
    for count in (100, 1000):
        folder = write_bag(
            tmp_path / str(count), (message._replace(time=k) for k in range(count)), storage
        )
        with Bag(folder) as bag:
            tracemalloc.start()
            assert sum(1 for _ in bag.frames()) == count
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert size > 30_000 and 1000 * size > 10 * peaks[1]
    assert peaks[1] < peaks[0] + 500_000
