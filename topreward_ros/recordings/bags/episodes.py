# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The episodes of a bag, each as a clip that can be scored like any other recording.

They are found in one pass without decoding images; two integers are stored per image. The rules
are in `episode_cuts`; spans given by hand replace them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from topreward_ros.errors import TaskError
from topreward_ros.scoring.questions import check_task
from topreward_ros.scoring.sampling import NANOSECONDS

from ..clip import Clip, Picture
from ..source_options import SourceOptions
from .episode_cuts import Cut, EpisodeCutter
from .errors import BrokenBagError, EmptyBagError, UndecodableImagesError, WrongTopicTypeError
from .message_types import BOOL, STRING
from .reader import Bag, BagImage, BagMessage

START_EPISODE = '/start_episode'
START_EPISODE_EVENTS = f'{START_EPISODE}/_service_event'
REQUEST_RECEIVED = 1  # service_msgs/ServiceEventInfo, whose first byte is the kind of the event
DEFAULT_FPS = 1.0  # of an episode with one image, or whose stamps are all equal


@dataclass(frozen=True)
class BagEpisode:
    """One attempt at one task: number counts from 1, first_stamp [ns] is of its first image.

    The clip's times are seconds since first_stamp: round(time * 1e9) + first_stamp is the stamp.
    """

    number: int
    task: str
    first_stamp: int
    clip: Clip
    cut: Cut = field(repr=False, compare=False)

    def bag_time(self, stamp: int) -> int:
        """Return the bag time [ns] of the episode's first image with this stamp.

        Raises ValueError where the episode has no such image.
        """
        return self.cut.times[self.cut.stamps.index(stamp)]


def bag_episodes(bag: Bag, options: SourceOptions) -> list[BagEpisode]:
    """Return all episodes in the order of the bag; their clips need the bag to stay open.

    Raises TaskError where neither the options nor the bag give the task, EmptyBagError where no
    image belongs to an episode, WrongTopicTypeError for a task topic of another type, and the
    errors of reading.
    """
    if options.task.strip():
        check_task(options.task)
    _check_task_topic(bag, options.task_topic)
    cuts = _spans(bag, options) if options.spans else _episodes(bag, options)
    names = [bag.name]
    if len(cuts) > 1:
        names = [f'{bag.name}/episode_{number:03}' for number in range(1, len(cuts) + 1)]
    return [
        BagEpisode(
            number,
            _task(bag, options, cut, name),
            cut.stamps[0],
            _clip(bag, cut, name),
            cut,
        )
        for number, (cut, name) in enumerate(zip(cuts, names, strict=True), start=1)
    ]


def _check_task_topic(bag: Bag, name: str) -> None:
    for topic in bag.topics:
        if topic.name == name and topic.type != STRING:
            raise WrongTopicTypeError(
                f'{name} in {bag.path} is a topic of {topic.type}; expected {STRING}'
            )


def _task(bag: Bag, options: SourceOptions, cut: Cut, name: str) -> str:
    task = options.task if options.task.strip() else cut.task
    if task is None or not task.strip():
        raise TaskError(
            f'{bag.path} gives no task for {name} on {options.task_topic}: set it with --task'
        )
    try:
        check_task(task)
    except TaskError as error:
        raise TaskError(f'{name}: {error}') from error
    return task


# Boundaries


def _episodes(bag: Bag, options: SourceOptions) -> list[Cut]:
    cutter = EpisodeCutter(options.sampling.window(), _has_tasks(bag, options))
    for message in _messages(bag, options):
        if message.topic == bag.image_topic:
            if (image := bag.image(message)) is not None:
                cutter.on_image(image.time, image.stamp)
        elif message.topic == options.task_topic:
            if (text := bag.read(message)) is not None:
                cutter.on_task(text.data)
        elif message.topic == options.running_topic:
            if (running := bag.read(message)) is not None:
                cutter.on_running(bool(running.data))
        elif _starts_episode(message):
            cutter.on_start_episode()
    if cutter.cuts:
        return cutter.cuts
    if bag.skipped:
        raise UndecodableImagesError(f'{bag.image_topic} in {bag.path}: {bag.skip_reason}')
    raise EmptyBagError(
        f'no image on {bag.image_topic} in {bag.path} belongs to an episode, according to '
        f'{options.task_topic} and {options.running_topic}: give the episodes with --episodes'
    )


def _has_tasks(bag: Bag, options: SourceOptions) -> bool:
    return any(topic.messages for topic in bag.topics if topic.name == options.task_topic)


def _messages(bag: Bag, options: SourceOptions) -> Iterator[BagMessage]:
    """Yield the images and the messages that mark episodes."""
    markers = {(options.task_topic, STRING), (options.running_topic, BOOL)}
    topics = [
        topic.name
        for topic in bag.topics
        if topic.name.endswith((START_EPISODE, START_EPISODE_EVENTS)) or topic[:2] in markers
    ]
    return bag.messages([bag.image_topic, *topics])


def _starts_episode(message: BagMessage) -> bool:
    if message.topic.endswith(START_EPISODE_EVENTS):
        return len(message.data) > 4 and message.data[4] == REQUEST_RECEIVED
    return True


def _spans(bag: Bag, options: SourceOptions) -> list[Cut]:
    cuts: list[Cut | None] = [None] * len(options.spans)
    first, last, task = None, 0.0, None
    for message in bag.messages((bag.image_topic, options.task_topic)):
        if message.topic == options.task_topic:
            text = bag.read(message)
            task = task if text is None else text.data
        elif (image := bag.image(message)) is not None:
            first = image.stamp if first is None else first
            last = max(last, (image.stamp - first) / NANOSECONDS)
            for number, span in enumerate(options.spans):
                if span.holds(image.stamp - first):
                    cut = cuts[number] = cuts[number] or Cut(task)
                    cut.add(image.time, image.stamp)
    filled = [cut for cut in cuts if cut is not None]
    if len(filled) < len(cuts):
        span = options.spans[cuts.index(None)]
        raise EmptyBagError(
            f'{bag.path} has no image between {span.start:g} and {span.end:g} s: its last image is '
            f'at {last:.3f} s'
        )
    return filled


# Clips


def _clip(bag: Bag, cut: Cut, name: str) -> Clip:
    first = cut.stamps[0]
    steps = np.diff(np.array(cut.stamps, dtype=np.int64))
    steps = steps[steps > 0]
    fps = NANOSECONDS / float(np.median(steps)) if steps.size else DEFAULT_FPS

    def frames() -> Iterator[tuple[float, np.ndarray]]:
        for image, pixels in bag.frames(_images(bag, cut)):
            yield (image.stamp - first) / NANOSECONDS, pixels

    def pictures() -> Iterator[tuple[float, Picture]]:
        for image, picture in bag.pictures(_images(bag, cut)):
            yield (image.stamp - first) / NANOSECONDS, picture

    seconds = (max(cut.stamps) - first) / NANOSECONDS + 1 / fps
    notes = []
    if len(cut.stamps) > 1 and not steps.size:
        notes.append(
            f'{name}: all {len(cut.stamps)} images have the stamp {first} ns, so only one of '
            'them is scored: the camera does not set its stamps'
        )
    return Clip(name, fps, seconds, frames, pictures, notes, release=bag.release)


def _images(bag: Bag, cut: Cut) -> Iterator[BagImage]:
    """Yield the images of the cut, matched by time and stamp in the order of the bag."""
    keys = zip(cut.times, cut.stamps, strict=True)
    key = next(keys, None)
    for image in bag.images(min(cut.times), max(cut.times) + 1):
        if (image.time, image.stamp) == key:
            yield image
            key = next(keys, None)
            if key is None:
                return
    raise BrokenBagError(f'{bag.path} has changed since its episodes were found: read it again')
