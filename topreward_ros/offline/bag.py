# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Writes messages as they came over the wire into an MCAP bag."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import numpy as np
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from ..scoring.window import NANOSECONDS
from ..share import PACKAGE, share_directory

BAG_VERSION: Literal[9] = 9  # metadata that Humble, Jazzy and Kilted read


class BagWriter:
    """A bag that stands under its name only when it is whole."""

    def __init__(self, folder: Path) -> None:
        """Raises FileExistsError rather than write over another bag."""
        if folder.exists():
            raise FileExistsError(f'{folder} is there already: choose another place')
        self._folder = folder
        # The files are named for the folder they are made in, so it needs its final name.
        self._scratch = folder.with_name(f'.{folder.name}.part')
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

    def add_topic(self, topic: str, message_type: str) -> None:
        """message_type as "std_msgs/msg/String"."""
        self._connections[topic] = self._writer.add_connection(
            topic, message_type, typestore=self._types
        )

    def write(self, topic: str, stamp: int, message: bytes) -> None:
        """A serialised message (CDR) and when it was received [ns]."""
        self._writer.write(self._connections[topic], stamp, message)  # type: ignore[arg-type]

    def serialise(self, message_type: str, **fields: Any) -> bytes:
        """The CDR of a message with these fields."""
        message = self._types.types[message_type](**fields)
        return bytes(self._types.serialize_cdr(message, message_type))

    def serialise_image(self, image: np.ndarray, stamp: int, frame_id: str) -> bytes:
        """The CDR of a sensor_msgs/Image of uint8 RGB (H, W, 3); stamp in nanoseconds."""
        types = self._types.types
        seconds, rest = divmod(stamp, NANOSECONDS)
        time = types['builtin_interfaces/msg/Time'](sec=seconds, nanosec=rest)
        height, width = image.shape[:2]
        return self.serialise(
            'sensor_msgs/msg/Image',
            header=types['std_msgs/msg/Header'](stamp=time, frame_id=frame_id),
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
        self._writer.close()
        self._part.rename(self._folder)
        self._scratch.rmdir()
