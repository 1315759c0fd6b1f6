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
) -> list[Connection]:
    """Return the named topic, or else the only image topic that is not empty.

    They are its connections with images, one or more per file. Raises EmptyBagError,
    NoImageTopicError, SeveralImageTopicsError, WrongTopicTypeError or UnsupportedBagError.
    """
    if not any(c.msgcount for c in connections):
        raise EmptyBagError(f'{path} holds no messages')
    if name is None:
        topic = _only(path, connections)
    else:
        topic = _named(path, connections, name if name.startswith('/') else f'/{name}')
    chosen = [c for c in connections if c.topic == topic and _has_images(c) and c.msgcount]
    if not chosen:
        raise EmptyBagError(f'{topic} in {path} holds no messages')
    forms = {getattr(c.ext, 'serialization_format', 'cdr') for c in chosen}
    if 'cdr' not in forms:
        raise UnsupportedBagError(
            f'{topic} in {path} is serialised as {min(forms)!r}; expected cdr'
        )
    return chosen


def _has_images(connection: Connection) -> bool:
    return connection.msgtype in IMAGE_TYPES


def _only(path: Path, connections: Sequence[Connection]) -> str:
    images = [c for c in connections if _has_images(c)]
    if not images:
        raise NoImageTopicError(f'{path} has no topic of {EITHER}; it has {_listed(connections)}')
    topics = {c.topic for c in images if c.msgcount} or {c.topic for c in images}
    if len(topics) > 1:
        raise SeveralImageTopicsError(
            f'{path} has several topics of images, {", ".join(sorted(topics))}: choose one with '
            '--image-topic'
        )
    return topics.pop()


def _named(path: Path, connections: Sequence[Connection], name: str) -> str:
    named = [c for c in connections if c.topic == name]
    if not named:
        raise NoImageTopicError(f'{path} has no topic {name}; it has {_listed(connections)}')
    if not any(map(_has_images, named)):
        raise WrongTopicTypeError(
            f'{name} in {path} is a topic of {named[0].msgtype}; expected {EITHER}'
        )
    return name


def _listed(connections: Sequence[Connection]) -> str:
    return ', '.join(f'{topic.name} ({topic.type})' for topic in list_topics(connections))
