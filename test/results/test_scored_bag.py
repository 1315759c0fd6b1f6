# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A scored bag is the bag with the added messages, and needs only rosbags to be read."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from rosbags.highlevel import AnyReader
from rosbags.interfaces import MessageDefinitionFormat
from rosbags.rosbag2 import CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from topreward_ros.recordings.bags.episodes import bag_episodes
from topreward_ros.recordings.bags.errors import BagError, UnsupportedBagError
from topreward_ros.recordings.bags.reader import Bag
from topreward_ros.recordings.source_options import SourceOptions
from topreward_ros.results.bag_writer import QOS_TASK
from topreward_ros.results.scored_bag import (
    TOPIC_PROGRESS,
    TOPIC_SUCCESS,
    TYPE_PROGRESS,
    PublishedScore,
    write_scored_bag,
)
from topreward_ros.reward.live import Step
from topreward_ros.reward.success import Success
from topreward_ros.scoring.score import Score

from ..recordings.bag_builder import (
    CAMERA,
    IMAGE,
    JAZZY,
    SECOND,
    STRING,
    images,
    only_file,
    pixels,
    raw,
    text,
    write_bag,
)
from ..recordings.mcap_builder import write_mcap

DELAY = 3_000_000
WIDGET = 'acme_msgs/msg/Widget'


def published(
    stamp: int, log_prob: float = -1.0, episode: int = 1, success: bool = False
) -> PublishedScore:
    step = Step(0.25, 0.125, Success(-0.5, -0.75) if success else None, 'fixed')
    score = Score(3, log_prob, -2.0)
    return PublishedScore(stamp, episode, 'Do it.', score, step, reward_model='topreward')


def contents(folder: Path) -> list[tuple[str, int, bytes]]:
    with AnyReader([folder]) as reader:  # checks definitions and digests
        return [(c.topic, time, bytes(data)) for c, time, data in reader.messages()]


def decoded(folder: Path, topic: str) -> list:
    with AnyReader([folder]) as reader:
        connections = [c for c in reader.connections if c.topic == topic]
        return [
            (time, reader.deserialize(data, c.msgtype))
            for c, time, data in reader.messages(connections)
        ]


@pytest.mark.parametrize('storage', ['mcap', 'sqlite'])
@pytest.mark.parametrize('compression', [CompressionMode.NONE, CompressionMode.MESSAGE])
def test_a_scored_bag(tmp_path: Path, storage: str, compression: CompressionMode) -> None:
    messages = [
        text(0, 'Do it.'),
        *(raw(k * SECOND, pixels(k), delay=DELAY) for k in range(4)),
        text(9 * SECOND, 'other', '/chatter'),
    ]
    with Bag(write_bag(tmp_path / 'bag', messages, storage, compression)) as bag:
        scores = [published(SECOND, -1.5), published(3 * SECOND, -0.25, success=True)]
        assert write_scored_bag(bag, tmp_path / 'scored', scores) == 2
    expected = [(m.topic, m.time, m.data) for m in messages]
    got = contents(tmp_path / 'scored')
    assert [entry for entry in got if entry[0] not in (TOPIC_PROGRESS, TOPIC_SUCCESS)] == expected
    assert [(topic, time) for topic, time, _ in got] == [
        ('/topreward/task', 0),
        (CAMERA, DELAY),
        (CAMERA, SECOND + DELAY),
        (TOPIC_PROGRESS, SECOND + DELAY),
        (CAMERA, 2 * SECOND + DELAY),
        (CAMERA, 3 * SECOND + DELAY),
        (TOPIC_PROGRESS, 3 * SECOND + DELAY),
        (TOPIC_SUCCESS, 3 * SECOND + DELAY),
        ('/chatter', 9 * SECOND),
    ]
    (_, first), (_, last) = decoded(tmp_path / 'scored', TOPIC_PROGRESS)
    assert (first.header.stamp.sec, first.header.stamp.nanosec) == (1, 0)
    assert first.header.frame_id == 'eye' and first.task == 'Do it.'
    assert (first.episode, first.frames, first.normalization) == (1, 3, 'fixed')
    assert (first.log_prob, first.log_prob_false) == (-1.5, -2.0)
    assert (first.progress, first.reward) == (0.25, 0.125)
    assert math.isnan(first.latency) and last.log_prob == -0.25
    ((_, success),) = decoded(tmp_path / 'scored', TOPIC_SUCCESS)
    assert (success.score, success.threshold, success.frames) == (-0.5, -0.75, 3)
    assert (success.reward_model, success.evidence) == ('topreward', 'log_prob')
    assert success.header.stamp.sec == 3 and success.task == 'Do it.'
    assert sorted(path.name for path in tmp_path.iterdir()) == ['bag', 'scored']


def test_a_score_without_a_log_probability(tmp_path: Path) -> None:
    score = Score(3, progress=0.5, success=0.25, parts={'done': 0.75, 'near': 1})
    step = Step(0.5, 0.125, Success(-0.5, -0.75, 'success'), 'model')
    with Bag(write_bag(tmp_path / 'bag', images(0, 2))) as bag:
        scores = [PublishedScore(0, 1, 'Do it.', score, step, reward_model='robometer')]
        write_scored_bag(bag, tmp_path / 'scored', scores)
    ((_, message),) = decoded(tmp_path / 'scored', TOPIC_PROGRESS)
    assert (message.reward_model, message.success) == ('robometer', 0.25)
    assert (message.part_names, message.parts.tolist()) == (['done', 'near'], [0.75, 1.0])
    assert math.isnan(message.log_prob) and message.normalization == 'model'
    ((_, success),) = decoded(tmp_path / 'scored', TOPIC_SUCCESS)
    assert (success.reward_model, success.evidence) == ('robometer', 'success')


OLDER = """std_msgs/Header header
string task
float32 log_prob
float32 progress
"""


def with_older(folder: Path, topic: str) -> Path:
    """Write a bag with a Progress as another version of this package defines it."""
    types = get_typestore(Stores.ROS2_JAZZY)
    types.register(get_types_from_msg(OLDER, TYPE_PROGRESS))
    known = types.types
    time = known['builtin_interfaces/msg/Time'](sec=0, nanosec=0)
    header = known['std_msgs/msg/Header'](stamp=time, frame_id='')
    message = known[TYPE_PROGRESS](header=header, task='Do it.', log_prob=-1.0, progress=0.5)
    with Writer(folder, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        camera = writer.add_connection(CAMERA, IMAGE, typestore=JAZZY)
        progress = writer.add_connection(topic, TYPE_PROGRESS, typestore=types)
        writer.write(camera, 1, raw(0, pixels(0)).data)
        writer.write(progress, 2, types.serialize_cdr(message, TYPE_PROGRESS))
    return folder


def test_scores_of_an_older_version_are_replaced_or_refused(tmp_path: Path) -> None:
    """A bag holds one definition of a type: with two, none could read it."""
    with Bag(with_older(tmp_path / 'own', TOPIC_PROGRESS)) as bag:
        write_scored_bag(bag, tmp_path / 'scored', [published(0)])
    ((_, message),) = decoded(tmp_path / 'scored', TOPIC_PROGRESS)
    assert message.reward_model == 'topreward'
    with (
        Bag(with_older(tmp_path / 'other', '/left/progress')) as bag,
        pytest.raises(UnsupportedBagError, match=r'/left/progress .* of another version'),
    ):
        write_scored_bag(bag, tmp_path / 'none', [published(0)])
    assert not (tmp_path / 'none').exists()
    with Bag(tmp_path / 'scored') as bag:  # one that is ours is copied
        write_scored_bag(bag, tmp_path / 'again', [published(0)])


def test_types_and_qos_are_those_of_the_bag(tmp_path: Path) -> None:
    """One type is defined only in the bag, another nowhere."""
    definition = (
        'uint8 kind\nacme_msgs/Part part\n' + '=' * 80 + '\nMSG: acme_msgs/Part\nfloat64 x\n'
    )
    types = get_typestore(Stores.EMPTY)
    types.register(get_types_from_msg(definition, WIDGET))
    part = types.types['acme_msgs/msg/Part'](x=2.5)
    widget = bytes(types.serialize_cdr(types.types[WIDGET](kind=7, part=part), WIDGET))
    with Writer(tmp_path / 'bag', version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        camera = writer.add_connection(CAMERA, IMAGE, typestore=JAZZY)
        latched = writer.add_connection(
            '/topreward/task', STRING, typestore=JAZZY, offered_qos_profiles=[QOS_TASK]
        )
        widgets = writer.add_connection('/widget', WIDGET, typestore=types)
        writer.write(latched, 0, text(0, 'Do it.').data)
        writer.write(widgets, 1, widget)
        writer.write(camera, 2, raw(0, pixels(0)).data)
    digest = types.hash_rihs01(WIDGET)
    for path in (tmp_path / 'bag', only_file(tmp_path / 'bag')):  # a file has no digests
        out = tmp_path / f'scored {path.suffix}'
        with Bag(path) as bag:
            write_scored_bag(bag, out, [published(0)])
        with AnyReader([out]) as reader:
            connections = {c.topic: c for c in reader.connections}
        assert connections['/topreward/task'].ext.offered_qos_profiles == [QOS_TASK]
        assert connections['/widget'].digest == digest
        assert all(c.msgdef.format is MessageDefinitionFormat.MSG for c in connections.values())
        assert 'float64 x' in connections['/widget'].msgdef.data
        assert 'float32 log_prob' in connections[TOPIC_PROGRESS].msgdef.data
        ((_, read),) = decoded(out, '/widget')
        assert (read.kind, read.part.x) == (7, 2.5)


def test_earlier_scores_are_replaced(tmp_path: Path) -> None:
    with Bag(write_bag(tmp_path / 'bag', [text(0, 'a'), *images(0, 3)])) as bag:
        write_scored_bag(
            bag, tmp_path / 'once', [published(0, -1.0), published(SECOND // 10, success=True)]
        )
    with Bag(tmp_path / 'once') as bag:
        write_scored_bag(bag, tmp_path / 'twice', [published(0, -3.0)])
    ((_, only),) = decoded(tmp_path / 'twice', TOPIC_PROGRESS)
    assert only.log_prob == -3.0 and decoded(tmp_path / 'twice', TOPIC_SUCCESS) == []
    assert len(contents(tmp_path / 'twice')) == 5


@pytest.mark.parametrize('topic', ['/topreward/events', '/topreward/reward'])
def test_what_told_of_other_scores_is_left_out(tmp_path: Path, topic: str) -> None:
    """Whatever its type: what is not known to be of these scores is not kept beside them."""
    messages = [text(0, 'a'), *images(0, 3), text(SECOND, 'stalled', topic)]
    with Bag(write_bag(tmp_path / 'bag', messages)) as bag:
        write_scored_bag(bag, tmp_path / 'scored', [published(0, -1.0)])
    topics = [name for name, _, _ in contents(tmp_path / 'scored')]
    assert topic not in topics and TOPIC_PROGRESS in topics and len(topics) == 5


def test_an_image_of_several_episodes_and_repeated_stamps(tmp_path: Path) -> None:
    messages = [
        message._replace(time=k) for k, message in enumerate([*images(5, 3), *images(5, 3)])
    ]
    with Bag(write_bag(tmp_path / 'bag', messages)) as bag:
        connections = bag_episodes(bag, SourceOptions(task='Do it.'))
        stamp = 5 * SECOND
        scores = [
            PublishedScore(
                **{**vars(published(stamp, episode=e.number)), 'time': e.bag_time(stamp)}
            )
            for e in connections
        ]
        write_scored_bag(bag, tmp_path / 'scored', [*scores, published(stamp, episode=7)])
    progress = decoded(tmp_path / 'scored', TOPIC_PROGRESS)
    assert [(time, message.episode) for time, message in progress] == [(0, 1), (0, 7), (3, 2)]


def test_it_is_complete_or_missing(tmp_path: Path) -> None:
    with Bag(write_bag(tmp_path / 'bag', images(0, 3))) as bag:
        with pytest.raises(BagError, match=r'no image for 1 of 2 scores, .* stamped 77 ns'):
            write_scored_bag(bag, tmp_path / 'scored', [published(0), published(77)])
        with pytest.raises(FileExistsError, match='exists already'):
            write_scored_bag(bag, tmp_path / 'bag', [])
    assert [path.name for path in tmp_path.iterdir()] == ['bag']
    broken = write_mcap(tmp_path / 'broken.mcap', images(0, 9), compression='zstd')
    broken.write_bytes(broken.read_bytes().replace(b'\4\0\0\0zstd', b'\4\0\0\0nope', 1))
    with Bag(broken) as bag, pytest.raises(UnsupportedBagError, match="compressed by 'nope'"):
        write_scored_bag(bag, tmp_path / 'scored', [published(0)])
    assert sorted(path.name for path in tmp_path.iterdir()) == ['bag', 'broken.mcap']
