# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A bag that is replayed to the live node over DDS gets the same scores as its file.

For each reward model; those without a small trained one have random weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from rosgraph_msgs.msg import Clock

from topreward_ros.commands.score.clip_scores import Plan, score_clip
from topreward_ros.demo.drawing import film
from topreward_ros.demo.model import FOLDER
from topreward_ros.demo.random_robometer import write_random_robometer
from topreward_ros.demo.scene import SceneEpisode
from topreward_ros.recordings.bags.episodes import bag_episodes
from topreward_ros.recordings.bags.reader import Bag, BagImage
from topreward_ros.recordings.source_options import SourceOptions
from topreward_ros.results.messages import score_of
from topreward_ros.results.video import write_image_bag
from topreward_ros.scoring.families import REWARD_MODELS, load_scorer
from topreward_ros.scoring.loading.options import LoadOptions
from topreward_ros.scoring.sampling import NANOSECONDS, Verdict
from topreward_ros.scoring.score import Score

from .harness import Harness, NodeProcess

NODE = '/replayed/topreward'
CAMERA = '/replayed/image'
CLOCK = '/replayed/clock'
RATE, SECONDS = 10.0, 8
PLANS = {
    'whole': Plan(fps=2.0, anchors=None),
    'last': Plan(fps=2.0, anchors=None, max_frames=8, history='last'),
}
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


@pytest.fixture(params=sorted(REWARD_MODELS))
def options(request: pytest.FixtureRequest, checkpoint_folder: Path, tmp_path: Path) -> LoadOptions:
    folder = FOLDER if request.param == 'topreward' else checkpoint_folder
    if request.param == 'robometer':
        folder = tmp_path / 'robometer'
        write_random_robometer(folder)
    return LoadOptions(str(folder), reward_model=request.param)


@pytest.fixture(params=PLANS)
def plan(request: pytest.FixtureRequest) -> Plan:
    return PLANS[request.param]


@pytest.fixture
def node(tmp_path: Path, options: LoadOptions, plan: Plan) -> Iterator[Harness]:
    values = {
        'model': options.model,
        'reward_model': options.reward_model,
        'use_sim_time': 'true',
        'diagnostics_period': 0.1,
        'fps': plan.fps,
        'max_frames': plan.max_frames,
        'history': plan.history,
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
def test_a_replayed_bag_is_scored_as_its_file_is(
    bag: Bag, node: Harness, options: LoadOptions, plan: Plan
) -> None:
    (episode,) = bag_episodes(bag, SourceOptions())
    scorer = load_scorer(options)
    rows = score_clip(scorer, episode.clip, episode.task, plan, lambda frames, _: frames)
    expected = {round(row.time * NANOSECONDS) + episode.first_stamp: row for row in rows}
    assert len(expected) == round(SECONDS * plan.fps)

    assert node.change('configure') and node.change('activate')
    node.open_camera()
    player = Player(node)
    player.tick(0)
    node.ask(episode.task)
    window = plan.window()
    for image in bag.images():
        if window.judge(image.stamp) is Verdict.KEEP:
            window.take(image.stamp)
            player.score(image)
        else:
            player.show(image)

    most = plan.max_frames
    assert max(row.score.frames for row in rows) == min(most, len(rows)), 'the window is bounded'
    published = {stamp_of(message): message for message in node.progress}
    assert list(published) == list(expected) and len(node.progress) == len(expected)
    for stamp, row in expected.items():
        message = published[stamp]
        same_numbers(message, row.score)
        assert message.reward_model == options.reward_model
        assert (message.frames, message.episode) == (row.score.frames, 1)
        assert message.task == episode.task and message.header.frame_id == 'camera'
    if options.reward_model == 'topreward':
        values = [row.score.value for row in rows]
        # Of the newest frames alone there is no progress once the scene has come to rest
        assert max(values) - values[0] > 1, 'the model does not see the scene'
    assert len({round(row.score.value, 4) for row in rows}) > 3, 'the model sees nothing'


def same_numbers(message, score: Score) -> None:  # type: ignore[no-untyped-def]
    """All that a score holds, and NaN for what it does not."""
    found = score_of(message)
    assert found is not None
    assert found.parts == pytest.approx(dict(score.parts), abs=1e-3)
    for name in ('log_prob', 'log_prob_false', 'success'):
        expected = getattr(score, name)
        assert getattr(found, name) == (expected and pytest.approx(expected, abs=1e-3))
    if score.progress is not None:
        assert message.progress == pytest.approx(score.progress, abs=1e-3)
