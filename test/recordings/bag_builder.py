# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Write bags of every format with rosbags."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image as PillowImage
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

SECOND = 1_000_000_000
CAMERA = '/camera/image_raw'
TASK = '/topreward/task'
RUNNING = '/episode_reset/running'
IMAGE = 'sensor_msgs/msg/Image'
COMPRESSED = 'sensor_msgs/msg/CompressedImage'
STRING = 'std_msgs/msg/String'
BOOL = 'std_msgs/msg/Bool'

JAZZY = get_typestore(Stores.ROS2_JAZZY)
STORAGES = {'mcap': StoragePlugin.MCAP, 'sqlite': StoragePlugin.SQLITE3}


class Recorded(NamedTuple):
    """A message as recorded; time [ns]."""

    topic: str
    type: str
    time: int
    data: bytes


def serialise(kind: str, little_endian: bool = True, **fields: Any) -> bytes:
    message = JAZZY.types[kind](**fields)
    return bytes(JAZZY.serialize_cdr(message, kind, little_endian=little_endian))


def header(stamp: int, frame_id: str = 'eye') -> Any:
    seconds, rest = divmod(stamp, SECOND)
    time = JAZZY.types['builtin_interfaces/msg/Time'](sec=seconds, nanosec=rest)
    return JAZZY.types['std_msgs/msg/Header'](stamp=time, frame_id=frame_id)


def pixels(number: int, height: int = 32, width: int = 40) -> np.ndarray:
    """Return uint8 RGB (H, W, 3), different for each number."""
    return np.random.default_rng(number).integers(0, 256, (height, width, 3), dtype=np.uint8)


def raw(
    stamp: int, image: np.ndarray, topic: str = CAMERA, delay: int = 0, little_endian: bool = True
) -> Recorded:
    """Return an image that was recorded `delay` [ns] after its stamp."""
    height, width = image.shape[:2]
    data = serialise(
        IMAGE,
        little_endian,
        header=header(stamp),
        height=height,
        width=width,
        encoding='rgb8',
        is_bigendian=0,
        step=3 * width,
        data=image.reshape(-1),
    )
    return Recorded(topic, IMAGE, stamp + delay, data)


def packed(
    stamp: int, image: np.ndarray, topic: str = f'{CAMERA}/compressed', kind: str = 'PNG'
) -> Recorded:
    file = io.BytesIO()
    PillowImage.fromarray(image).save(file, kind)
    data = np.frombuffer(file.getvalue(), np.uint8)
    fields = {'header': header(stamp), 'format': f'rgb8; {kind.lower()} compressed', 'data': data}
    return Recorded(topic, COMPRESSED, stamp, serialise(COMPRESSED, **fields))


def text(time: int, words: str, topic: str = TASK) -> Recorded:
    return Recorded(topic, STRING, time, serialise(STRING, data=words))


def flag(time: int, value: bool, topic: str = RUNNING) -> Recorded:
    return Recorded(topic, BOOL, time, serialise(BOOL, data=value))


def images(start: float, count: int, fps: float = 10.0) -> list[Recorded]:
    """Return small images from this time on [s], without recording delay."""
    first = round(start * SECOND)
    return [raw(first + round(k * SECOND / fps), pixels(k)) for k in range(count)]


def write_bag(
    folder: Path,
    messages: Iterable[Recorded],
    storage: str = 'mcap',
    compression: CompressionMode = CompressionMode.NONE,
    empty: Sequence[tuple[str, str]] = (),
) -> Path:
    """Write a folder as `ros2 bag record` does; empty: topics and types without messages."""
    writer = Writer(folder, version=9, storage_plugin=STORAGES[storage])
    writer.set_compression(compression, CompressionFormat.ZSTD)
    connections: dict[str, Any] = {}
    with writer:
        for topic, kind in empty:
            writer.add_connection(topic, kind, typestore=JAZZY)
        for topic, kind, time, data in messages:
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=JAZZY)
            writer.write(connections[topic], time, data)
    return folder


def break_chunk(file: Path) -> None:
    """Damage the last compressed chunk of an MCAP file."""
    content = file.read_bytes()
    at = content.rindex(b'\x28\xb5\x2f\xfd')
    file.write_bytes(content[:at] + bytes(8) + content[at + 8 :])


def only_file(folder: Path) -> Path:
    """Return the file that holds a bag's messages."""
    (file,) = (f for f in folder.iterdir() if f.name != 'metadata.yaml')
    return file
