# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Write serialised messages into an MCAP bag."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import numpy as np
from rosbags.interfaces import (
    Connection,
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from topreward_ros.files import part_of
from topreward_ros.recordings.bags.message_types import definition_of
from topreward_ros.scoring.sampling import NANOSECONDS
from topreward_ros.share import PACKAGE, share_directory

BAG_VERSION: Literal[9] = 9  # metadata that Humble, Jazzy and Kilted read
# Transient local, as the node's own task topic: a late subscriber gets the newest task
QOS_TASK = Qos(
    history=QosHistory.KEEP_LAST,
    depth=1,
    reliability=QosReliability.RELIABLE,
    durability=QosDurability.TRANSIENT_LOCAL,
    deadline=QosTime(0, 0),
    lifespan=QosTime(0, 0),
    liveliness=QosLiveliness.AUTOMATIC,
    liveliness_lease_duration=QosTime(0, 0),
    avoid_ros_namespace_conventions=False,
)


class BagWriter:
    """Writes a bag that appears under its name when it is complete.

    After an exception the bag holds what was written so far; with keep_cut_short False it is
    removed.
    """

    def __init__(self, folder: Path, keep_cut_short: bool = True) -> None:
        """Raises FileExistsError if the folder exists."""
        if folder.exists():
            raise FileExistsError(f'{folder} exists already: choose another name')
        self._folder = folder
        self._keep_cut_short = keep_cut_short
        # The files are named after their folder, which therefore has its final name from the start
        self._scratch = part_of(folder)
        shutil.rmtree(self._scratch, ignore_errors=True)
        self._scratch.mkdir(parents=True)
        self._part = self._scratch / folder.name
        self._types = get_typestore(Stores.ROS2_JAZZY)
        for file in sorted((share_directory() / 'msg').glob('*.msg')):
            name = f'{PACKAGE}/msg/{file.stem}'
            self._types.register(get_types_from_msg(file.read_text(encoding='utf-8'), name))
        self._writer = Writer(self._part, version=BAG_VERSION, storage_plugin=StoragePlugin.MCAP)
        self._connections: dict[str, object] = {}

    def __enter__(self) -> BagWriter:
        self._writer.open()
        return self

    def add_topic(self, topic: str, message_type: str, qos: Sequence[Qos] = ()) -> None:
        """Add a topic; message_type as "std_msgs/msg/String", qos is what a player shall offer."""
        self._connections[topic] = self._writer.add_connection(
            topic, message_type, typestore=self._types, offered_qos_profiles=qos
        )

    def copy_topic(self, connection: Connection) -> None:
        """Add a topic of another bag, with its type, definition and QoS.

        Where that bag has no definition, it is Jazzy's, or empty for a type that Jazzy lacks.
        """
        definition, digest = definition_of(connection)
        self._connections[connection.topic] = self._writer.add_connection(
            connection.topic,
            connection.msgtype,
            msgdef=definition,
            rihs01=digest,
            serialization_format=getattr(connection.ext, 'serialization_format', 'cdr'),
            offered_qos_profiles=getattr(connection.ext, 'offered_qos_profiles', ()),
        )

    def digest(self, message_type: str) -> str:
        """Return the digest (RIHS01) of a type as it is written here."""
        return self._types.hash_rihs01(message_type)

    def write(self, topic: str, stamp: int, message: bytes) -> None:
        """Write a serialised message (CDR) with its time of reception [ns]."""
        self._writer.write(self._connections[topic], stamp, message)  # type: ignore[arg-type]

    def serialise(self, message_type: str, **fields: Any) -> bytes:
        """Return the CDR of a message with these fields."""
        message = self._types.types[message_type](**fields)
        return bytes(self._types.serialize_cdr(message, message_type))

    def header(self, stamp: int, frame_id: str) -> Any:
        """Return a std_msgs/Header; stamp in nanoseconds."""
        types: Any = self._types.types
        seconds, nanoseconds = divmod(stamp, NANOSECONDS)
        time = types['builtin_interfaces/msg/Time'](sec=seconds, nanosec=nanoseconds)
        return types['std_msgs/msg/Header'](stamp=time, frame_id=frame_id)

    def serialise_image(self, image: np.ndarray, stamp: int, frame_id: str) -> bytes:
        """Return the CDR of a sensor_msgs/Image of uint8 RGB (H, W, 3); stamp in nanoseconds."""
        height, width = image.shape[:2]
        return self.serialise(
            'sensor_msgs/msg/Image',
            header=self.header(stamp, frame_id),
            height=height,
            width=width,
            encoding='rgb8',
            is_bigendian=0,
            step=3 * width,
            data=np.ascontiguousarray(image).reshape(-1),
        )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None and not self._keep_cut_short:
            self._writer.abort()
            shutil.rmtree(self._scratch, ignore_errors=True)
            return
        try:
            self._writer.close()
        finally:  # even if the disk is full, so that what was written is found
            self._part.rename(self._folder)
            self._scratch.rmdir()
