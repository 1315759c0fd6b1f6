# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Read rosbags: MCAP and SQLite, a folder or a single file, compressed or not; needs no ROS.

All messages that can be read are read, whatever index or metadata say; what is lost is counted and
told. The errors and their exit codes are in `errors`.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np
from rosbags.interfaces import Connection, MessageDefinition
from rosbags.typesys.store import Typestore

from topreward_ros.errors import FrameError
from topreward_ros.scoring.frames import check_frame
from topreward_ros.scoring.image_decoding import decode_compressed_image, decode_image

from ..clip import Picture
from .errors import (
    BrokenBagError,
    EmptyBagError,
    NoImageTopicError,
    UndecodableImagesError,
    UnsupportedBagError,
)
from .image_topic import IMAGE_TYPES, Topic, choose_image_topic, list_topics
from .message_types import COMPRESSED_IMAGE, read_header, typestore_of
from .storage import Storage


class BagMessage(NamedTuple):
    """A message as recorded: the bag time [ns], and the CDR data.

    turn tells it from others of its topic at the same time: 0 for the first.
    """

    topic: str
    type: str
    time: int
    data: bytes
    connection: Connection
    turn: int


class BagImage(NamedTuple):
    """A message of the image topic: the bag time and the header stamp, both [ns]."""

    topic: str
    time: int
    stamp: int
    frame_id: str
    data: bytes
    message: BagMessage


class Bag:
    """An open bag with a topic of images.

    It can be read any number of times, but not twice at the same time. One image is in memory at a
    time, beside its MCAP chunk (about a megabyte). A bag compressed as a file is unpacked to a
    temporary folder while it is open; `release` removes that folder until the next read.

    skipped counts the images that could not be read, each once however often the bag is read;
    skip_reason is the reason of the last one, and is_undecodable whether an error has told it, as
    none could be decoded. warnings are other facts that a user should know.
    """

    def __init__(self, path: str | Path, image_topic: str | None = None) -> None:
        """Open the bag; raises the BagError that fits."""
        self.path = Path(path).expanduser()
        resolved = self.path.resolve()
        self.name = resolved.name if resolved.is_dir() else resolved.stem
        self._skipped: dict[str, set[tuple[int, int]]] = {}
        self._reasons: dict[str, str] = {}
        self._types: dict[tuple[str, MessageDefinition], Typestore | str] = {}
        self._closed = self.is_undecodable = False
        self._storage = Storage(self.path)
        try:
            self.image_topic: str = self._choose(image_topic)
        except BaseException:
            self.close()
            raise

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
        self._storage.close()

    @property
    def connections(self) -> Sequence[Connection]:
        """The topics as each file describes them; one of several files is here several times."""
        return self._storage.connections

    @property
    def topics(self) -> list[Topic]:
        """All topics, ordered by name."""
        return list_topics(self.connections)

    @property
    def skipped(self) -> int:
        return len(self._skipped.get(self.image_topic, ()))

    @property
    def skip_reason(self) -> str:
        return self._reasons.get(self.image_topic, '')

    @property
    def warnings(self) -> list[str]:
        return [
            *self._storage.notes,
            *(
                f'{len(places)} messages on {topic} in {self.path} are passed over; the last one: '
                f'{self._reasons[topic]}'
                for topic, places in self._skipped.items()
                if topic != self.image_topic
            ),
        ]

    def messages(
        self,
        topics: Collection[str] | None = None,
        start: int | None = None,
        stop: int | None = None,
    ) -> Iterator[BagMessage]:
        """Yield the messages of these topics (None: all) in the order of bag time.

        start (included) and stop (excluded) are bag times [ns]. Raises the BagError that fits
        while reading.
        """
        if self._closed:
            raise ValueError(f'{self.path} is closed')
        chosen = {each.topic for each in self.connections} if topics is None else set(topics)
        now: int | None = None
        turns: Counter[str] = Counter()
        images = 0
        for connection, time, data in self._storage.messages(chosen, start, stop):
            if time != now:
                now = time
                turns.clear()
            topic = connection.topic
            images += topic == self.image_topic
            yield BagMessage(topic, connection.msgtype, time, data, connection, turns[topic])
            turns[topic] += 1
        if not images and start is None and stop is None and self.image_topic in chosen:
            raise BrokenBagError(
                f'no message on {self.image_topic} in {self.path} can be read: '
                f'{"; ".join(self._storage.notes)}'
            )

    def read(self, message: BagMessage) -> Any | None:
        """Return the deserialised std_msgs/String or Bool; None, and counted, if it is broken."""
        try:
            return self._deserialised(message)
        except FrameError as error:
            self._skip(message, error)
            return None

    def images(self, start: int | None = None, stop: int | None = None) -> Iterator[BagImage]:
        """Yield the image messages, not decoded; those without a valid header are skipped."""
        for message in self.messages([self.image_topic], start, stop):
            if (image := self.image(message)) is not None:
                yield image

    def image(self, message: BagMessage) -> BagImage | None:
        """Return the image message with its header; None, and counted as skipped, without one."""
        try:
            if message.type not in IMAGE_TYPES:
                raise FrameError(f'it is a {message.type}')
            self._typestore(message.connection)
            stamp, frame_id = read_header(message.data)
        except FrameError as error:
            self._skip(message, error)
            return None
        return BagImage(message.topic, message.time, stamp, frame_id, message.data, message)

    def decode(self, image: BagImage) -> np.ndarray:
        """Decode to uint8 RGB (H, W, 3); raises FrameError under the node's own rules."""
        message = self._deserialised(image.message)
        is_compressed = image.message.type == COMPRESSED_IMAGE
        try:
            pixels = (decode_compressed_image if is_compressed else decode_image)(message)
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
                self._skip(image.message, error)
                raise
            decoded += 1
            return pixels

        for image in self.images() if images is None else images:
            images_read += 1
            yield image, partial(decode, image)
        if not decoded and (requested or (images is None and not images_read)):
            self.is_undecodable = True
            raise UndecodableImagesError(
                f'none of the images on {self.image_topic} in {self.path} can be decoded; the '
                f'last one: {self.skip_reason}'
            )

    def _choose(self, name: str | None) -> str:
        """Return the topic of images; raises the BagError that fits."""
        try:
            images = choose_image_topic(self.path, self.connections, name)
        except (EmptyBagError, NoImageTopicError) as error:
            if not self._storage.notes:
                raise
            raise BrokenBagError(f'{error}; {"; ".join(self._storage.notes)}') from error
        reasons = []
        for connection in images:
            try:
                self._typestore(connection)
            except FrameError as error:
                reasons.append(str(error))
        if len(reasons) == len(images):
            raise UnsupportedBagError(f'{self.path}: {reasons[0]}')
        return images[0].topic

    def _typestore(self, connection: Connection) -> Typestore:
        """Return the types to read this connection; raises FrameError where there are none."""
        key = connection.msgtype, connection.msgdef
        if key not in self._types:
            try:
                self._types[key] = typestore_of(connection)
            except (UnsupportedBagError, ValueError) as error:
                self._types[key] = str(error)
        types = self._types[key]
        if isinstance(types, str):
            raise FrameError(types)
        return types

    def _deserialised(self, message: BagMessage) -> Any:
        types = self._typestore(message.connection)
        try:
            return types.deserialize_cdr(message.data, message.type)
        except Exception as error:  # the bag's own definition may be anything
            size = len(message.data)
            raise FrameError(f'the message of {size} bytes cannot be read: {error}') from error

    def _skip(self, message: BagMessage, error: FrameError) -> None:
        self._skipped.setdefault(message.topic, set()).add((message.time, message.turn))
        self._reasons[message.topic] = str(error)
