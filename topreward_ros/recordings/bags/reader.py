# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Read rosbags: MCAP and SQLite, a folder or a single file, compressed or not; needs no ROS.

The errors and their exit codes are in `errors`. Truncated recordings are not read: rosbags needs
the index at the end of an MCAP file, and the losses of a SQLite file are unknown. The errors name
the tool that recovers what is readable.
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
    """A message as recorded: the bag time [ns], and the CDR data."""

    topic: str
    type: str
    time: int
    data: bytes


class BagImage(NamedTuple):
    """A message of the image topic: the bag time and the header stamp, both [ns]."""

    topic: str
    time: int
    stamp: int
    frame_id: str
    data: bytes


class Bag:
    """An open bag with a topic of images.

    It can be read any number of times, but not twice at the same time. One image is in memory at a
    time, beside its MCAP chunk (about a megabyte). A bag compressed as a file is unpacked to a
    temporary folder while it is open; `release` removes that folder until the next read.

    skipped counts the images that could not be read, each once however often the bag is read;
    skip_reason is the reason of the last one; warnings are other facts that a user should know.
    """

    def __init__(self, path: str | Path, image_topic: str | None = None) -> None:
        """Open the bag; raises the BagError that fits."""
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
        """Close the bag for good; later reads raise ValueError."""
        self.release()
        self._closed = True

    def release(self) -> None:
        """Close the files until the next read; do not call it during a read."""
        if self._reader.is_open:
            self._reader.close()

    @property
    def topics(self) -> list[Topic]:
        """All topics, ordered by name."""
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
        """Yield the messages of these topics (None: all) in the order of bag time.

        start (included) and stop (excluded) are bag times [ns]. Raises BrokenBagError or
        UnsupportedBagError while reading.
        """
        selected = [c for c in self.connections if topics is None or c.topic in topics]
        if not selected:  # rosbags would read all topics
            return
        if self._closed:
            raise ValueError(f'{self.path} is closed')
        images = 0
        with faults_of(self.path):
            if not self._reader.is_open:
                self._reader.open()
            for connection, time, data in self._reader.messages(selected, start, stop):
                images += connection.topic == self.image_topic
                if data[:4] == ZSTD_MAGIC:
                    raise UnsupportedBagError(
                        f'the messages in {self.path} are compressed one by one: give the folder '
                        f'that holds its {METADATA}'
                    )
                yield BagMessage(connection.topic, connection.msgtype, time, data)
        if start is None and stop is None and self.image_topic in (c.topic for c in selected):
            self._check_count(images)

    def read(self, message: BagMessage) -> Any:
        """Deserialise a std_msgs/String or Bool; raises BrokenBagError for broken data."""
        if message.type not in self._types:
            connection = next(c for c in self.connections if c.msgtype == message.type)
            self._types[message.type] = typestore_of(connection)
        with faults_of(self.path):
            return self._types[message.type].deserialize_cdr(message.data, message.type)

    def images(self, start: int | None = None, stop: int | None = None) -> Iterator[BagImage]:
        """Yield the image messages, not decoded; those without a valid header are skipped."""
        for message in self.messages([self.image_topic], start, stop):
            if (image := self.image(message)) is not None:
                yield image

    def image(self, message: BagMessage) -> BagImage | None:
        """Return the image message with its header; None, and counted as skipped, without one."""
        try:
            stamp, frame_id = read_header(message.data)
        except FrameError as error:
            self._skip(message.topic, message.time, error)
            return None
        return BagImage(message.topic, message.time, stamp, frame_id, message.data)

    def decode(self, image: BagImage) -> np.ndarray:
        """Decode to uint8 RGB (H, W, 3); raises FrameError under the node's own rules."""
        kind = self._image.msgtype
        try:
            message: Any = self._types[kind].deserialize_cdr(image.data, kind)
            compressed = kind == COMPRESSED_IMAGE
            pixels = (decode_compressed_image if compressed else decode_image)(message)
            return np.require(check_frame(pixels), requirements=('C', 'W'))
        except FrameError:
            raise
        except Exception as error:  # the bag's own definition may be anything
            raise FrameError(f'the image cannot be read: {error}') from error

    def frames(
        self, images: Iterable[BagImage] | None = None
    ) -> Iterator[tuple[BagImage, np.ndarray]]:
        """Yield images (None: all) with their pixels, uint8 RGB (H, W, 3).

        Images that cannot be decoded are skipped and counted. Raises UndecodableImagesError at the
        end if there were images and none could be decoded.
        """
        for image, picture in self.pictures(images):
            with contextlib.suppress(FrameError):
                yield image, picture()

    def pictures(
        self, images: Iterable[BagImage] | None = None
    ) -> Iterator[tuple[BagImage, Picture]]:
        """Yield images (None: all) with a function that decodes each, as `decode` does.

        Counts and raises as `frames`, considering only the images whose decoding was requested.
        """
        images_read = requested = decoded = 0

        def decode(image: BagImage) -> np.ndarray:
            nonlocal requested, decoded
            requested += 1
            try:
                pixels = self.decode(image)
            except FrameError as error:
                self._skip(image.topic, image.time, error)
                raise
            decoded += 1
            return pixels

        for image in self.images() if images is None else images:
            images_read += 1
            yield image, partial(decode, image)
        if not decoded and (requested or (images is None and not images_read)):
            raise UndecodableImagesError(
                f'none of the images on {self.image_topic} in {self.path} can be decoded; the '
                f'last one: {self.skip_reason}'
            )

    def _skip(self, topic: str, time: int, error: FrameError) -> None:
        self._skipped.add((time, topic))
        self.skip_reason = str(error)

    def _check_count(self, count: int) -> None:
        expected = sum(c.msgcount for c in self.connections if c.topic == self.image_topic)
        text = (
            f'the metadata of {self.path} lists {expected} messages on {self.image_topic}; {count} '
            'were read'
        )
        if expected and not count:
            raise BrokenBagError(f'{text}: `ros2 bag reindex` rewrites its {METADATA}')
        if expected != count and text not in self.warnings:
            self.warnings.append(text)
