# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A bag that is replayed to the live node over DDS gets the same scores as its file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from rosgraph_msgs.msg import Clock

from topreward_ros.commands.score.clip_scores import Plan, score_clip
from topreward_ros.demo.drawing import film
from topreward_ros.demo.model import FOLDER
from topreward_ros.demo.scene import SceneEpisode
from topreward_ros.recordings.bags.episodes import bag_episodes
from topreward_ros.recordings.bags.reader import Bag, BagImage
from topreward_ros.recordings.source_options import SourceOptions
from topreward_ros.results.video import write_image_bag
from topreward_ros.scoring.families import load_scorer
from topreward_ros.scoring.sampling import NANOSECONDS, Verdict

from .harness import Harness, NodeProcess

NODE = '/replayed/topreward'
CAMERA = '/replayed/image'
CLOCK = '/replayed/clock'
RATE, SECONDS = 10.0, 8
PLAN = Plan(fps=2.0, anchors=None)
DELAY = NANOSECONDS // 50  # after the stamp of an image: beyond the margin of the gate


@pytest.fixture(scope='module')
def bag(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bag]:
    """Eight seconds of the small world at 10 Hz."""
    episode = SceneEpisode(3, 'success')
    frames = list(film(episode, RATE, 96, 128))
    frames += frames[-1:] * round(RATE * SECONDS - len(frames))  # the scene at rest
    folder = tmp_path_factory.mktemp('replay') / 'bag'
    write_image_bag(folder, frames[: round(RATE * SECONDS)], RATE, episode.task.say())
    with Bag(folder) as bag:
        yield bag


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Harness]:
    values = {
        'model': FOLDER,
        'use_sim_time': 'true',
        'diagnostics_period': 0.1,
        'fps': PLAN.fps,
        'max_frames': PLAN.max_frames,
    }
    settings = [part for name, value in values.items() for part in ('-p', f'{name}:={value}')]
    names = ['-r', '__ns:=/replayed', '-r', f'/clock:={CLOCK}']
    harness = Harness(NodeProcess(tmp_path / 'node.log', *settings, *names), NODE, CAMERA)
    yield harness
    harness.process.close()
    harness.close()


class Player:
    """Publishes recorded images, and a clock that follows their stamps."""

    def __init__(self, node: Harness) -> None:
        self.node = node
        self.clock = node.node.create_publisher(Clock, CLOCK, 10)
        node.until(self.clock.get_subscription_count)

    def tick(self, stamp: int) -> None:
        message = Clock()
        message.clock.sec, message.clock.nanosec = divmod(stamp, NANOSECONDS)
        self.clock.publish(message)

    def show(self, image: BagImage) -> None:
        self.tick(image.stamp + DELAY)
        self.node.spin(0.02)  # lets the gate open before the image is published
        self.node.images.publish(image.data)

    def score(self, image: BagImage) -> None:
        """Publish an image until it is scored; an image that arrives twice is kept once."""
        for _ in range(20):
            self.show(image)
            for _ in range(50):
                self.node.spin(0.02)
                if any(stamp_of(p) == image.stamp for p in self.node.progress):
                    return
        raise AssertionError(f'no score of {image.stamp} ns:\n{self.node.output()}')


def stamp_of(message) -> int:  # type: ignore[no-untyped-def]
    return message.header.stamp.sec * NANOSECONDS + message.header.stamp.nanosec


@pytest.mark.slow
def test_a_replayed_bag_is_scored_as_its_file_is(bag: Bag, node: Harness) -> None:
    (episode,) = bag_episodes(bag, SourceOptions())
    scorer = load_scorer(str(FOLDER))
    rows = score_clip(scorer, episode.clip, episode.task, PLAN, lambda frames, _: frames)
    expected = {round(row.time * NANOSECONDS) + episode.first_stamp: row for row in rows}
    assert len(expected) == round(SECONDS * PLAN.fps)

    assert node.change('configure') and node.change('activate')
    node.open_camera()
    player = Player(node)
    player.tick(0)
    node.ask(episode.task)
    window = PLAN.window()
    for image in bag.images():
        if window.judge(image.stamp) is Verdict.KEEP:
            window.take(image.stamp)
            player.score(image)
        else:
            player.show(image)

    published = {stamp_of(message): message for message in node.progress}
    assert list(published) == list(expected) and len(node.progress) == len(expected)
    for stamp, row in expected.items():
        message = published[stamp]
        assert message.log_prob == pytest.approx(row.score.log_prob, abs=1e-3)
        assert message.log_prob_false == pytest.approx(row.score.log_prob_false, abs=1e-3)
        assert (message.frames, message.episode) == (row.score.frames, 1)
        assert message.task == episode.task and message.header.frame_id == 'camera'
    assert rows[-1].score.log_prob - rows[0].score.log_prob > 1, 'the model does not see the scene'
