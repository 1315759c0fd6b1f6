# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A copy of a bag with what was told of its images beside them, as the node would have told it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from topreward_ros.recordings.bags.errors import BagError, UnsupportedBagError
from topreward_ros.recordings.bags.reader import Bag, BagImage
from topreward_ros.reward.live import Step
from topreward_ros.scoring.score import Score

from .bag_writer import BagWriter
from .messages import common_fields, progress_fields, success_fields

TOPIC_PROGRESS = '/topreward/progress'
TOPIC_SUCCESS = '/topreward/success_detected'
TYPE_PROGRESS = 'topreward_ros/msg/Progress'
TYPE_SUCCESS = 'topreward_ros/msg/SuccessDetected'


@dataclass(frozen=True)
class PublishedScore:
    """What is published after an image: its header's stamp [ns], and the bag's time [ns] of it.

    Without time it is the first image of that stamp, which is not enough where stamps begin anew
    within the bag (`BagEpisode.bag_time` knows it).
    """

    stamp: int
    episode: int
    task: str
    score: Score
    step: Step
    time: int | None = None


def write_scored_bag(bag: Bag, folder: Path, published: Iterable[PublishedScore]) -> int:
    """Write an MCAP bag; how many scores are in it. It appears when it is whole.

    It holds the messages of all topics of the other as they are, with their times, types and QoS
    (but not what else its metadata say), and of each score a message on /topreward/progress and,
    where it is the success, on /topreward/success_detected, with the time of the image in the bag
    and after it. What the other bag has on these two topics is left out: it is replaced. Stamp
    and frame_id are the image's; latency is NaN, as no clock ran.

    Raises FileExistsError rather than write over another bag, BagError for a score whose image is
    not in the bag, and what reading raises.
    """
    waiting = _by_image(published)
    count = sum(map(len, waiting.values()))
    with BagWriter(folder, keep_cut_short=False) as out:
        copied = _add_topics(bag, out)
        for message in bag.messages(copied):
            out.write(message.topic, message.time, message.data)
            if message.topic == bag.image_topic and (image := bag.image(message)) is not None:
                for key in ((image.stamp, image.time), (image.stamp, None)):
                    for one in waiting.pop(key, ()):
                        _write(out, image, one)
        if waiting:
            stamp, _ = min(waiting, key=lambda key: key[0])
            raise BagError(
                f'{bag.path} has no image for {sum(map(len, waiting.values()))} of {count} '
                f'scores, the first of them stamped {stamp} ns on {bag.image_topic}'
            )
    return count


def _by_image(
    published: Iterable[PublishedScore],
) -> dict[tuple[int, int | None], list[PublishedScore]]:
    waiting: dict[tuple[int, int | None], list[PublishedScore]] = {}
    for one in published:
        waiting.setdefault((one.stamp, one.time), []).append(one)
    return waiting


def _add_topics(bag: Bag, out: BagWriter) -> set[str]:
    """The topics that are copied."""
    types: dict[str, str] = {}
    for connection in bag.connections:
        topic = connection.topic
        if topic in (TOPIC_PROGRESS, TOPIC_SUCCESS):
            continue
        if types.setdefault(topic, connection.msgtype) != connection.msgtype:
            raise UnsupportedBagError(
                f'{topic} in {bag.path} is a topic of {types[topic]} and of {connection.msgtype}'
            )
    for topic in types:
        out.copy_topic(next(c for c in bag.connections if c.topic == topic))
    out.add_topic(TOPIC_PROGRESS, TYPE_PROGRESS)
    out.add_topic(TOPIC_SUCCESS, TYPE_SUCCESS)
    return set(types)


def _write(out: BagWriter, image: BagImage, published: PublishedScore) -> None:
    score, step = published.score, published.step
    header = out.header(image.stamp, image.frame_id)
    common = common_fields(header, published.episode, published.task, score)
    progress = out.serialise(TYPE_PROGRESS, **common, **progress_fields(score, step, math.nan))
    out.write(TOPIC_PROGRESS, image.time, progress)
    if step.success is not None:
        detected = out.serialise(TYPE_SUCCESS, **common, **success_fields(step.success))
        out.write(TOPIC_SUCCESS, image.time, detected)
