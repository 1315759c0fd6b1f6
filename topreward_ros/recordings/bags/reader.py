# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reads rosbags: MCAP and SQLite, a folder or a single file, compressed or not; needs no ROS.

What can be wrong with one, and the exit codes of that, is in `errors`. Of a recording that was
cut short nothing is read: rosbags reads MCAP by the index at its end, and what was lost of a
SQLite file cannot be told. The errors name the tool that saves what is there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np
from rosbags.interfaces import Connection
from rosbags.rosbag2 import Reader

from topreward_ros.errors import FrameError
from topreward_ros.scoring.frames import check_frame
from topreward_ros.scoring.image_decoding import decode_compressed_image, decode_image

from ..clip import Picture
from .errors import BrokenBagError, UndecodableImagesError, UnsupportedBagError
from .faults import METADATA, check_place, faults_of
from .image_topic import Topic, choose_image_topic, list_topics
from .message_types import COMPRESSED_IMAGE, read_header, typestore_of

ZSTD_MAGIC = b'\x28\xb5\x2f\xfd'


class BagMessage(NamedTuple):
    """A message as it was recorded: time [ns] is the bag's, data its CDR."""

    topic: str
    type: str
    time: int
    data: bytes


class BagImage(NamedTuple):
    """A message of the image topic: time is the bag's and stamp the header's, both [ns]."""

    topic: str
    time: int
    stamp: int
    frame_id: str
    data: bytes


class Bag:
    """A bag with a topic of images, open until it is closed.

    It can be read any number of times, one after the other, and holds one image at a time, beside
    the chunk (about a megabyte) that MCAP stores it in. A bag compressed as a file is unpacked to
    a temporary folder while it is open; `release` gives that back until the next reading.

    skipped counts the images that could not be read, each once however often the bag is read;
    skip_reason says why the last could not; warnings is what there is to know besides.
    """

    def __init__(self, path: str | Path, image_topic: str | None = None) -> None:
        """Raises a BagError, of the class that the fault has."""
        self.path = Path(path).expanduser()
        resolved = self.path.resolve()
        self.name = resolved.name if resolved.is_dir() else resolved.stem
        self.warnings: list[str] = []
        self.skip_reason = ''
        self._skipped: set[tuple[int, str]] = set()
        self._closed = False
        check_place(self.path)
        with faults_of(self.path):
            self._reader = Reader(self.path)
            self._reader.open()
        try:
            self.connections: list[Connection] = list(self._reader.connections)
            self._image = choose_image_topic(self.path, self.connections, image_topic)
            self._types = {self._image.msgtype: typestore_of(self._image)}
        except BaseException:
            self.close()
            raise
        self.image_topic: str = self._image.topic

    def __enter__(self) -> Bag:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Nothing can be read from now on."""
        self.release()
        self._closed = True

    def release(self) -> None:
        """Keep no file open until it is read again; not while it is being read."""
        if self._reader.is_open:
            self._reader.close()

    @property
    def topics(self) -> list[Topic]:
        """All topics, in the order of their names."""
        return list_topics(self.connections)

    @property
    def skipped(self) -> int:
        return len(self._skipped)

    def messages(
        self,
        topics: Collection[str] | None = None,
        start: int | None = None,
        stop: int | None = None,
    ) -> Iterator[BagMessage]:
        """Messages in the order of the bag's time, of these topics (None: all of them).

        start and stop [ns] are of the bag's time, stop not included. Raises BrokenBagError or
        UnsupportedBagError where it turns out so.
        """
        wanted = [c for c in self.connections if topics is None or c.topic in topics]
        if not wanted:  # rosbags takes none for all
            return
        if self._closed:
            raise ValueError(f'{self.path} is closed')
        images = 0
        with faults_of(self.path):
            if not self._reader.is_open:
                self._reader.open()
            for connection, time, data in self._reader.messages(wanted, start, stop):
                images += connection.topic == self.image_topic
                if data[:4] == ZSTD_MAGIC:
                    raise UnsupportedBagError(
                        f'the messages in {self.path} are compressed one by one: give the folder '
                        f'with its {METADATA}'
                    )
                yield BagMessage(connection.topic, connection.msgtype, time, data)
        if start is None and stop is None and self.image_topic in (c.topic for c in wanted):
            self._check_count(images)

    def read(self, message: BagMessage) -> Any:
        """A std_msgs/String or Bool as an object; BrokenBagError for what is none."""
        if message.type not in self._types:
            described = next(c for c in self.connections if c.msgtype == message.type)
            self._types[message.type] = typestore_of(described)
        with faults_of(self.path):
            return self._types[message.type].deserialize_cdr(message.data, message.type)

    def images(self, start: int | None = None, stop: int | None = None) -> Iterator[BagImage]:
        """The image topic's messages, not decoded; those without a header are skipped."""
        for message in self.messages([self.image_topic], start, stop):
            if (image := self.image(message)) is not None:
                yield image

    def image(self, message: BagMessage) -> BagImage | None:
        """A message of the image topic with its header; None, and counted, where it has none."""
        try:
            stamp, frame_id = read_header(message.data)
        except FrameError as error:
            self._skip(message.topic, message.time, error)
            return None
        return BagImage(message.topic, message.time, stamp, frame_id, message.data)

    def decode(self, image: BagImage) -> np.ndarray:
        """uint8 RGB (H, W, 3); FrameError for what is none, as the node has it."""
        kind = self._image.msgtype
        try:
            message: Any = self._types[kind].deserialize_cdr(image.data, kind)
            compressed = kind == COMPRESSED_IMAGE
            pixels = (decode_compressed_image if compressed else decode_image)(message)
            return np.require(check_frame(pixels), requirements=('C', 'W'))
        except FrameError:
            raise
        except Exception as error:  # a definition of the bag's own may say anything
            raise FrameError(f'the image cannot be read: {error}') from error

    def frames(
        self, images: Iterable[BagImage] | None = None
    ) -> Iterator[tuple[BagImage, np.ndarray]]:
        """Images (None: all of them) with what they show, uint8 RGB (H, W, 3).

        What cannot be decoded is skipped and counted. Raises UndecodableImagesError in the end
        where there were images and none could be.
        """
        for image, picture in self.pictures(images):
            with contextlib.suppress(FrameError):
                yield image, picture()

    def pictures(
        self, images: Iterable[BagImage] | None = None
    ) -> Iterator[tuple[BagImage, Picture]]:
        """Images (None: all of them) with what decodes each, which raises FrameError as `decode`.

        Counts and raises as `frames`, by those that were to be decoded.
        """
        found = asked = decoded = 0

        def decode(image: BagImage) -> np.ndarray:
            nonlocal asked, decoded
            asked += 1
            try:
                pixels = self.decode(image)
            except FrameError as error:
                self._skip(image.topic, image.time, error)
                raise
            decoded += 1
            return pixels

        for image in self.images() if images is None else images:
            found += 1
            yield image, partial(decode, image)
        if not decoded and (asked or (images is None and not found)):
            raise UndecodableImagesError(
                f'none of the images on {self.image_topic} in {self.path} can be decoded; the '
                f'last: {self.skip_reason}'
            )

    def _skip(self, topic: str, time: int, error: FrameError) -> None:
        self._skipped.add((time, topic))
        self.skip_reason = str(error)

    def _check_count(self, count: int) -> None:
        told = sum(c.msgcount for c in self.connections if c.topic == self.image_topic)
        text = f'{self.path} says it has {told} messages on {self.image_topic}; {count} were read'
        if told and not count:
            raise BrokenBagError(f'{text}: `ros2 bag reindex` writes its {METADATA} anew')
        if told != count and text not in self.warnings:
            self.warnings.append(text)
