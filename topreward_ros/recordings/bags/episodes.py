# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The episodes of a bag, each as a clip that can be scored like any other recording.

One reading finds them, without decoding an image: for each image of an episode two integers are
kept. What begins and ends an episode is in `episode_cuts`; spans given by hand replace all of it.
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
from .errors import EmptyBagError, UndecodableImagesError, WrongTopicTypeError
from .message_types import BOOL, STRING
from .reader import Bag, BagImage, BagMessage

START_EPISODE = '/start_episode'
START_EPISODE_EVENTS = f'{START_EPISODE}/_service_event'
REQUEST_RECEIVED = 1  # service_msgs/ServiceEventInfo, whose first byte is the kind of the event
LONE_FPS = 1.0  # of an episode of one image, or whose stamps stand still


@dataclass(frozen=True)
class BagEpisode:
    """One attempt at one task; number counts from 1, first_stamp [ns] is its first image's.

    The clip's times are seconds since then: round(time * 1e9) + first_stamp is the stamp.
    """

    number: int
    task: str
    first_stamp: int
    clip: Clip
    cut: Cut = field(repr=False, compare=False)

    def bag_time(self, stamp: int) -> int:
        """When the bag has the first image of this stamp in the episode [ns]; ValueError."""
        return self.cut.times[self.cut.stamps.index(stamp)]


def bag_episodes(bag: Bag, options: SourceOptions) -> list[BagEpisode]:
    """All episodes, in the order of the bag; as many clips can be read while the bag is open.

    Raises TaskError where neither the options nor the bag say the task, EmptyBagError where no
    image is of an episode, WrongTopicTypeError for a task topic of another type, and what reading
    raises.
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
            f'{bag.path} does not say the task of {name} on {options.task_topic}: give it in words'
        )
    try:
        check_task(task)
    except TaskError as error:
        raise TaskError(f'{name}: {error}') from error
    return task


# Boundaries


def _episodes(bag: Bag, options: SourceOptions) -> list[Cut]:
    cutter = EpisodeCutter(options.sampling.window(), _says_tasks(bag, options))
    for message in _messages(bag, options):
        if message.topic == bag.image_topic:
            if (image := bag.image(message)) is not None:
                cutter.on_image(image.time, image.stamp)
        elif message.topic == options.task_topic:
            cutter.on_task(bag.read(message).data)
        elif message.topic == options.running_topic:
            cutter.on_running(bool(bag.read(message).data))
        elif _starts_episode(message):
            cutter.on_start_episode()
    if cutter.cuts:
        return cutter.cuts
    if bag.skipped:
        raise UndecodableImagesError(f'{bag.image_topic} in {bag.path}: {bag.skip_reason}')
    raise EmptyBagError(
        f'no image on {bag.image_topic} in {bag.path} is of an episode, by {options.task_topic} '
        f'and {options.running_topic}: give the episodes by hand'
    )


def _says_tasks(bag: Bag, options: SourceOptions) -> bool:
    return any(topic.messages for topic in bag.topics if topic.name == options.task_topic)


def _messages(bag: Bag, options: SourceOptions) -> Iterator[BagMessage]:
    """Of the topics that tell of episodes."""
    told = {(options.task_topic, STRING), (options.running_topic, BOOL)}
    topics = [
        topic.name
        for topic in bag.topics
        if topic.name.endswith((START_EPISODE, START_EPISODE_EVENTS)) or topic[:2] in told
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
            task = bag.read(message).data
        elif (image := bag.image(message)) is not None:
            first = image.stamp if first is None else first
            last = max(last, (image.stamp - first) / NANOSECONDS)
            for number, span in enumerate(options.spans):
                if span.holds(image.stamp - first):
                    cut = cuts[number] = cuts[number] or Cut(task)
                    cut.add(image.time, image.stamp)
    found = [cut for cut in cuts if cut is not None]
    if len(found) < len(cuts):
        span = options.spans[cuts.index(None)]
        raise EmptyBagError(
            f'{bag.path} has no image between {span.start:g} and {span.end:g} s: its last is at '
            f'{last:.3f} s'
        )
    return found


# Clips


def _clip(bag: Bag, cut: Cut, name: str) -> Clip:
    first = cut.stamps[0]
    steps = np.diff(np.array(cut.stamps, dtype=np.int64))
    steps = steps[steps > 0]
    fps = NANOSECONDS / float(np.median(steps)) if steps.size else LONE_FPS

    def frames() -> Iterator[tuple[float, np.ndarray]]:
        for image, pixels in bag.frames(_images(bag, cut)):
            yield (image.stamp - first) / NANOSECONDS, pixels

    def pictures() -> Iterator[tuple[float, Picture]]:
        for image, picture in bag.pictures(_images(bag, cut)):
            yield (image.stamp - first) / NANOSECONDS, picture

    seconds = (max(cut.stamps) - first) / NANOSECONDS + 1 / fps
    note = ''
    if len(cut.stamps) > 1 and not steps.size:
        note = (
            f'{name}: its {len(cut.stamps)} images are all stamped {first} ns, so only one of '
            'them is scored: the camera does not set its stamps'
        )
    return Clip(name, fps, seconds, frames, pictures, note, bag.release)


def _images(bag: Bag, cut: Cut) -> Iterator[BagImage]:
    """Those of the cut, found again by their times and stamps in the same order."""
    left = zip(cut.times, cut.stamps, strict=True)
    wanted = next(left, None)
    for image in bag.images(min(cut.times), max(cut.times) + 1):
        if (image.time, image.stamp) == wanted:
            yield image
            wanted = next(left, None)
            if wanted is None:
                return
