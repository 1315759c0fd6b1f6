# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Copy a bag and add the messages that the live node would have published for its images."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rosbags.interfaces import Connection

from topreward_ros.recordings.bags.errors import BagError, UnsupportedBagError
from topreward_ros.recordings.bags.message_types import definition_of
from topreward_ros.recordings.bags.reader import Bag, BagImage
from topreward_ros.reward.live import Step
from topreward_ros.scoring.score import Score

from .bag_writer import BagWriter
from .messages import common_fields, event_fields, progress_fields, success_fields

TOPIC_PROGRESS = '/topreward/progress'
TOPIC_SUCCESS = '/topreward/success_detected'
TOPIC_EVENTS = '/topreward/events'
OF_OTHER_SCORES = (TOPIC_PROGRESS, TOPIC_SUCCESS, TOPIC_EVENTS, '/topreward/reward')
TYPE_PROGRESS = 'topreward_ros/msg/Progress'
TYPE_SUCCESS = 'topreward_ros/msg/SuccessDetected'
TYPE_EVENT = 'topreward_ros/msg/Event'


class Begun(NamedTuple):
    """An event that begins with a score: see Event.msg."""

    event: str
    highest: float
    seconds: float


@dataclass(frozen=True)
class PublishedScore:
    """A score to publish after an image, given by its header stamp [ns] and its bag time [ns].

    Without time it is the first image with that stamp, which is ambiguous where stamps repeat
    within the bag (`BagEpisode.bag_time` returns the time).
    """

    stamp: int
    episode: int
    task: str
    score: Score
    step: Step
    time: int | None = None
    reward_model: str = ''
    events: tuple[Begun, ...] = ()


def write_scored_bag(bag: Bag, folder: Path, published: Iterable[PublishedScore]) -> int:
    """Write an MCAP bag and return the number of its scores; it appears when it is complete.

    All messages of the original are copied with their times, types and QoS (but without its other
    metadata), except those of a reward node, which told of other scores: progress, successes,
    events and rewards. Every score becomes a message on /topreward/progress, a success also one on
    /topreward/success_detected and an event one on /topreward/events, after the image and with the
    image's bag time. Stamp and frame_id are the image's; latency is NaN, as it was not measured.

    Raises FileExistsError if the folder exists, BagError for a score whose image is not in the bag,
    and the errors of reading.
    """
    pending = _by_image(published)
    count = sum(map(len, pending.values()))
    with BagWriter(folder, keep_cut_short=False) as out:
        copied = _add_topics(bag, out)
        for message in bag.messages(copied):
            out.write(message.topic, message.time, message.data)
            if message.topic == bag.image_topic and (image := bag.image(message)) is not None:
                for key in ((image.stamp, image.time), (image.stamp, None)):
                    for score in pending.pop(key, ()):
                        _write(out, image, score)
        if pending:
            stamp, _ = min(pending, key=lambda key: key[0])
            raise BagError(
                f'{bag.path} has no image for {sum(map(len, pending.values()))} of {count} '
                f'scores, the first of them stamped {stamp} ns on {bag.image_topic}'
            )
    return count


def _by_image(
    published: Iterable[PublishedScore],
) -> dict[tuple[int, int | None], list[PublishedScore]]:
    pending: dict[tuple[int, int | None], list[PublishedScore]] = {}
    for score in published:
        pending.setdefault((score.stamp, score.time), []).append(score)
    return pending


def _add_topics(bag: Bag, out: BagWriter) -> set[str]:
    """Add all topics; return the names of those that are copied.

    Raises UnsupportedBagError for a topic of two types, or a type of two definitions, as the copy
    can have only one; those of the messages to add count, too.
    """
    types: dict[str, str] = {}
    definitions: dict[str, Connection] = {}
    for connection in bag.connections:
        topic = connection.topic
        if topic in OF_OTHER_SCORES:
            continue
        if types.setdefault(topic, connection.msgtype) != connection.msgtype:
            raise UnsupportedBagError(
                f'{topic} in {bag.path} has two types, {types[topic]} and {connection.msgtype}'
            )
        first = definitions.setdefault(connection.msgtype, connection)
        if (
            first.msgdef != connection.msgdef
            and definition_of(first)[1] != definition_of(connection)[1]
        ):
            raise UnsupportedBagError(
                f'{connection.msgtype} has two definitions in {bag.path}: its files cannot be '
                'copied into one bag'
            )
    for name in (TYPE_PROGRESS, TYPE_SUCCESS, TYPE_EVENT):
        if name in definitions and definition_of(definitions[name])[1] != out.digest(name):
            raise UnsupportedBagError(
                f'{definitions[name].topic} in {bag.path} has {name} of another version of this '
                'package, and a bag can have only one: leave the topic out, by `ros2 bag convert`'
            )
    for topic in types:
        out.copy_topic(next(c for c in bag.connections if c.topic == topic))
    out.add_topic(TOPIC_PROGRESS, TYPE_PROGRESS)
    out.add_topic(TOPIC_SUCCESS, TYPE_SUCCESS)
    out.add_topic(TOPIC_EVENTS, TYPE_EVENT)
    return set(types)


def _write(out: BagWriter, image: BagImage, published: PublishedScore) -> None:
    score, step = published.score, published.step
    header = out.header(image.stamp, image.frame_id)
    common = common_fields(header, published.episode, published.task, score, published.reward_model)
    fields = progress_fields(score, step, math.nan)
    fields['parts'] = np.array(fields['parts'], dtype=np.float32)  # as rosbags serialises it
    out.write(TOPIC_PROGRESS, image.time, out.serialise(TYPE_PROGRESS, **common, **fields))
    if step.success is not None:
        detected = out.serialise(TYPE_SUCCESS, **common, **success_fields(step.success))
        out.write(TOPIC_SUCCESS, image.time, detected)
    for begun in published.events:
        fields = event_fields(begun.event, step.progress, begun.highest, begun.seconds)
        out.write(TOPIC_EVENTS, image.time, out.serialise(TYPE_EVENT, **common, **fields))
