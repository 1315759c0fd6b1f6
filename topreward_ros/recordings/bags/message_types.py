# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Message types as the bag defines them, and the header of a serialised message."""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

from rosbags.interfaces import (
    Connection,
    ConnectionExtRosbag2,
    MessageDefinition,
    MessageDefinitionFormat,
    Qos,
)
from rosbags.rosbag2.metadata import parse_qos
from rosbags.typesys import Stores, get_types_from_idl, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from topreward_ros.errors import FrameError, first_line
from topreward_ros.scoring.sampling import NANOSECONDS

from .errors import UnsupportedBagError

IMAGE = 'sensor_msgs/msg/Image'
COMPRESSED_IMAGE = 'sensor_msgs/msg/CompressedImage'
STRING = 'std_msgs/msg/String'
BOOL = 'std_msgs/msg/Bool'
READABLE = (IMAGE, COMPRESSED_IMAGE, STRING, BOOL)

HEADER = 'std_msgs/msg/Header'
HEADER_FIELDS = ['stamp', 'frame_id']
# Before each file of a definition in IDL
IDL_MARK = '=' * 80 + '\nIDL: '
UNKNOWN_DIGEST = 'RIHS01_' + '0' * 64
UNDEFINED = MessageDefinition(MessageDefinitionFormat.NONE, '')
FORMATS = {
    'ros2msg': MessageDefinitionFormat.MSG,
    'ros2idl': MessageDefinitionFormat.IDL,
    'omgidl': MessageDefinitionFormat.IDL,
}


class Definition(NamedTuple):
    """A message type, and its definition in an encoding such as "ros2msg"."""

    type: str
    encoding: str
    text: str


def connection_of(
    number: int,
    topic: str,
    definition: Definition,
    *,
    count: int,
    encoding: str,
    qos: str,
    digest: str,
    owner: Any,
) -> Connection:
    """Return a topic of a file with `count` messages; a definition of no known encoding is none."""
    form = FORMATS.get(definition.encoding) if definition.text else None
    return Connection(
        id=number,
        topic=topic,
        msgtype=definition.type,
        msgdef=MessageDefinition(form, definition.text) if form else UNDEFINED,
        digest=digest,
        msgcount=count,
        ext=ConnectionExtRosbag2(encoding, _qos(qos)),
        owner=owner,
    )


def _qos(text: str) -> list[Qos]:
    """Return the QoS offered; none where it cannot be told, as reading does not depend on it."""
    try:
        return parse_qos(text)
    except Exception:  # any text is possible
        return []


def typestore_of(connection: Connection) -> Typestore:
    """Return the typestore for a topic: from the bag's definition, else from Jazzy's.

    Only for the types in READABLE: rosbags generates Python code from definitions, so it gets none
    of unknown names. Raises UnsupportedBagError for a definition that cannot be used.
    """
    name = connection.msgtype
    if name not in READABLE:
        raise ValueError(f'{name} is not read here')
    if connection.msgdef.format is MessageDefinitionFormat.NONE:
        return get_typestore(Stores.ROS2_JAZZY)
    types = get_typestore(Stores.EMPTY)
    try:
        types.register(_parsed(connection))
        types.get_msgdef(name)
        if name in (IMAGE, COMPRESSED_IMAGE):
            _check_header(types, name)
    except Exception as error:  # the parser may raise anything on an arbitrary text
        raise UnsupportedBagError(
            f'the definition of {name} in the bag cannot be used: {first_line(error)}'
        ) from error
    return types


def definition_of(connection: Connection) -> tuple[str, str]:
    """Return the definition and the digest (RIHS01) to describe the type in another bag.

    They are the bag's own, else Jazzy's; an empty text and an unknown digest where neither has one.
    """
    definition, name = connection.msgdef, connection.msgtype
    jazzy = get_typestore(Stores.ROS2_JAZZY)
    if definition.format is not MessageDefinitionFormat.NONE:
        text = definition.data
        if definition.format is MessageDefinitionFormat.IDL and not text.startswith(IDL_MARK):
            text = f'{IDL_MARK}{name}\n{text}'
        return text, connection.digest or _digest(connection)
    if name in jazzy.fielddefs:
        return jazzy.generate_msgdef(name, ros_version=2)[0], jazzy.hash_rihs01(name)
    return '', connection.digest or UNKNOWN_DIGEST


def read_header(data: bytes) -> tuple[int, str]:
    """Return stamp [ns] and frame_id of a serialised message (CDR) that begins with a Header.

    Raises FrameError where it has no header, or a negative stamp, which the node rejects too.
    """
    if len(data) < 16 or data[0] != 0 or data[1] not in (0, 1):
        raise FrameError(f'the message of {len(data)} bytes has no CDR header')
    seconds, nanoseconds, length = struct.unpack_from('<iII' if data[1] else '>iII', data, 4)
    stamp = seconds * NANOSECONDS + nanoseconds
    if len(data) < 16 + length:
        raise FrameError(f'the message of {len(data)} bytes ends within its header')
    if stamp < 0:
        raise FrameError(f'the image is stamped {stamp} ns')
    return stamp, bytes(data[16 : 16 + length]).rstrip(b'\0').decode('utf-8', 'replace')


def _parsed(connection: Connection) -> Any:
    text, name = connection.msgdef.data, connection.msgtype
    if connection.msgdef.format is MessageDefinitionFormat.MSG:
        return get_types_from_msg(text, name)
    if not text.startswith(IDL_MARK):
        return get_types_from_idl(text)
    parts = [part.split('\n', 1)[1] for part in text.split(IDL_MARK)[1:]]
    return {key: value for part in parts for key, value in get_types_from_idl(part).items()}


def _check_header(types: Typestore, name: str) -> None:
    first = types.fielddefs[name][1][0]
    fields = [field for field, _ in types.fielddefs[HEADER][1]]
    if first[1][1] != HEADER or fields != HEADER_FIELDS:
        raise ValueError(f'it does not begin with a {HEADER} of {" and ".join(HEADER_FIELDS)}')


def _digest(connection: Connection) -> str:
    """Compute the digest from the parsed definition, without generating code."""
    types = get_typestore(Stores.EMPTY)
    try:
        types.fielddefs.update(_parsed(connection))
        return types.hash_rihs01(connection.msgtype)
    except Exception:  # a message may be copied with a definition that cannot be read here
        return UNKNOWN_DIGEST
