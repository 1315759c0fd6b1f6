# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Choose the topic of a bag that holds the images."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from rosbags.interfaces import Connection

from .errors import (
    EmptyBagError,
    NoImageTopicError,
    SeveralImageTopicsError,
    UnsupportedBagError,
    WrongTopicTypeError,
)
from .message_types import COMPRESSED_IMAGE, IMAGE

IMAGE_TYPES = (IMAGE, COMPRESSED_IMAGE)
EITHER = ' or '.join(IMAGE_TYPES)


class Topic(NamedTuple):
    """A topic of a bag: type as "std_msgs/msg/String", and the message count in the metadata."""

    name: str
    type: str
    messages: int


def list_topics(connections: Iterable[Connection]) -> list[Topic]:
    """Return every topic once, ordered by name."""
    counts: dict[tuple[str, str], int] = {}
    for connection in connections:
        key = connection.topic, connection.msgtype
        counts[key] = counts.get(key, 0) + connection.msgcount
    return [Topic(*key, count) for key, count in sorted(counts.items())]


def choose_image_topic(
    path: Path, connections: Sequence[Connection], name: str | None
) -> Connection:
    """Return the named topic, or else the only image topic that is not empty.

    Raises EmptyBagError, NoImageTopicError, SeveralImageTopicsError, WrongTopicTypeError or
    UnsupportedBagError.
    """
    if not any(c.msgcount for c in connections):
        raise EmptyBagError(f'{path} holds no messages')
    if name is None:
        connection = _only(path, connections)
    else:
        connection = _named(path, connections, name if name.startswith('/') else f'/{name}')
    if not connection.msgcount:
        raise EmptyBagError(f'{connection.topic} in {path} holds no messages')
    form = getattr(connection.ext, 'serialization_format', 'cdr')
    if form != 'cdr':
        raise UnsupportedBagError(
            f'{connection.topic} in {path} is serialised as {form!r}; expected cdr'
        )
    return connection


def _only(path: Path, connections: Sequence[Connection]) -> Connection:
    images = [c for c in connections if c.msgtype in IMAGE_TYPES]
    if not images:
        raise NoImageTopicError(f'{path} has no topic of {EITHER}; it has {_listed(connections)}')
    topics = {c.topic: c for c in images if c.msgcount} or {c.topic: c for c in images}
    if len(topics) > 1:
        raise SeveralImageTopicsError(
            f'{path} has several topics of images, {", ".join(sorted(topics))}: choose one with '
            '--image-topic'
        )
    return next(iter(topics.values()))


def _named(path: Path, connections: Sequence[Connection], name: str) -> Connection:
    named = [c for c in connections if c.topic == name]
    if not named:
        raise NoImageTopicError(f'{path} has no topic {name}; it has {_listed(connections)}')
    images = [c for c in named if c.msgtype in IMAGE_TYPES]
    if not images:
        raise WrongTopicTypeError(
            f'{name} in {path} is a topic of {named[0].msgtype}; expected {EITHER}'
        )
    return max(images, key=lambda c: c.msgcount)


def _listed(connections: Sequence[Connection]) -> str:
    return ', '.join(f'{topic.name} ({topic.type})' for topic in list_topics(connections))
