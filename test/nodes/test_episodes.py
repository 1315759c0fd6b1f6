# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Episodes, progress and success, as published over DDS."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage

from topreward_ros.msg import Progress
from topreward_ros.reward.success import SuccessDetector
from topreward_ros.scoring.loading.checkpoint import load_checkpoint
from topreward_ros.scoring.reward_models.topreward.recompute import RecomputeScorer

from .harness import SECOND, TASK_TEXT, Harness
from .test_lifecycle import AUTOSTART

ANYTHING = -1000.0  # [nat] below every log-probability of the small model


@pytest.mark.parametrize('scorer', ['streaming', 'recompute'])
def test_the_wire_carries_the_recomputed_scores(
    unconfigured: Harness, checkpoint_folder: Path, scorer: str
) -> None:
    active = unconfigured
    active.set(scorer=scorer)
    assert active.change('configure') and active.change('activate')
    active.open_camera()
    reference = RecomputeScorer(load_checkpoint(str(checkpoint_folder))).start(TASK_TEXT)
    active.ask()
    for k in range(7):
        pixels = np.random.default_rng(k).integers(0, 256, (70, 90, 3), dtype=np.uint8)
        message = active.score(100 + k / 2, pixels=pixels)
        reference.append(pixels, k / 2)
        expected = reference.score()
        assert message.log_prob == pytest.approx(expected.log_prob, abs=1e-4)
        assert message.log_prob_false == pytest.approx(expected.log_prob_false, abs=1e-4)
        assert (message.frames, message.episode, message.task) == (k + 1, 1, TASK_TEXT)
        assert message.header.frame_id == 'eye' and message.normalization == 'fixed'
        fixed = min(max((expected.log_prob + 25) / 20, 0), 1)
        assert message.progress == pytest.approx(fixed, abs=1e-4)


def test_reward_is_the_progress_gained(active: Harness) -> None:
    active.set(normalization='probability')
    active.ask()
    scores = [active.score(k / 2) for k in range(5)]
    assert scores[0].reward == 0
    for before, after in pairwise(scores):
        assert after.reward == pytest.approx(after.progress - before.progress, abs=1e-6)
    assert all(s.progress == pytest.approx(math.exp(s.log_prob), rel=1e-4) for s in scores)


def test_running_progress_is_unknown_at_first(active: Harness) -> None:
    active.set(normalization='running')
    active.ask()
    first, second = active.score(0.0), active.score(0.5)
    assert math.isnan(first.progress) and first.reward == 0
    assert second.progress in (0.0, 1.0) and second.reward == 0


def test_new_task_begins_an_episode_and_the_same_one_does_not(active: Harness) -> None:
    active.ask('one')
    assert active.score(1.0).frames == 1
    active.ask('one')
    assert active.score(1.5).frames == 2
    active.ask('two')
    message = active.score(2.0)
    assert (message.episode, message.frames, message.task) == (2, 1, 'two')


def test_empty_task_stops_scoring(active: Harness) -> None:
    active.ask()
    active.score(1.0)
    active.ask('')
    active.show(2.0)
    active.spin(0.5)
    assert len(active.progress) == 1
    active.diagnosis('waiting for a task', b'\x00')
    assert not active.start_episode().success


def test_start_episode_is_a_new_attempt(active: Harness) -> None:
    assert 'no task' in active.start_episode().message
    active.ask()
    active.score(1.0)
    answer = active.start_episode()
    assert answer.success and answer.message == 'episode 2'
    message = active.score(1.5)
    assert (message.episode, message.frames) == (2, 1)


def test_an_image_from_before_the_episode_is_not_in_it(unconfigured: Harness) -> None:
    unconfigured.set(fps=0.5)
    unconfigured.change('configure')
    unconfigured.change('activate')
    unconfigured.open_camera()
    unconfigured.ask()
    unconfigured.score(100.0)
    unconfigured.spin(0.4)
    unconfigured.show(100.4)  # the middleware keeps it: the next image is due at 102
    unconfigured.spin(0.4)
    assert unconfigured.start_episode().success
    unconfigured.spin(0.3)
    assert len(unconfigured.progress) == 1
    message = unconfigured.score(101.1)
    assert (message.episode, message.frames) == (2, 1)


def test_episodes_are_counted_anew_after_activation(active: Harness) -> None:
    active.ask('one')
    active.ask('two')
    active.change('deactivate')
    assert 'not active' in active.start_episode().message
    active.change('activate')
    active.until(lambda: active.fact('episode') == '1')
    assert active.fact('task') == 'two'  # the topic is transient local


def test_success_once_per_episode(active: Harness) -> None:
    """It counts only after a mean below the threshold; see `SuccessDetector`."""
    pictures = [np.random.default_rng(k).integers(0, 256, (48, 64, 3), np.uint8) for k in range(9)]

    def attempt(begin: float) -> list[Progress]:
        return [active.score(begin + k / 2, pixels=each) for k, each in enumerate(pictures)]

    active.set(success_threshold=ANYTHING)
    active.ask()
    log_probs = [p.log_prob for p in attempt(0.0)]
    active.spin(0.3)
    assert active.successes == [] and active.fact('episode') == '1'
    assert [p.scene for p in active.progress] == [0, 0, 2] + [3] * 6
    assert 'episode 1: scene looks finished: was it reset?' in active.output()
    # Halfway between two neighbouring means: some are below, and later ones above
    means = sorted(sum(log_probs[k - 2 : k + 1]) / 3 for k in range(2, 9))
    threshold, hit = next(
        (middle, found)
        for middle in ((a + b) / 2 for a, b in pairwise(means) if b - a > 1e-3)
        if (found := first_success(middle, log_probs)) is not None
    )
    active.set(success_threshold=threshold)
    for episode in (2, 3):
        active.start_episode()
        attempt(10.0 * episode)
        active.until(lambda episode=episode: len(active.successes) == episode - 1)
        success = active.successes[-1]
        assert (success.episode, success.frames, success.task) == (episode, hit + 1, TASK_TEXT)
        assert success.score == pytest.approx(sum(log_probs[hit - 2 : hit + 1]) / 3, abs=1e-4)
        assert success.threshold == pytest.approx(threshold)
        of_episode = [p for p in active.progress if p.episode == episode]
        assert success.header == of_episode[hit].header


def first_success(threshold: float, log_probs: list[float]) -> int | None:
    """Return the index of the score at which a success that counts is detected, or None."""
    detector = SuccessDetector(threshold, from_unfinished=True)
    return next((k for k, value in enumerate(log_probs) if detector.update(value)), None)


def test_no_success_under_the_threshold(active: Harness) -> None:
    active.set(success_threshold=0.0)
    active.ask()
    for k in range(6):
        active.score(k / 2)
    active.spin(0.3)
    assert active.successes == []


def test_long_episode_is_thinned(unconfigured: Harness) -> None:
    unconfigured.set(max_frames=8)
    unconfigured.change('configure')
    unconfigured.change('activate')
    unconfigured.open_camera()
    unconfigured.ask()
    frames = [unconfigured.score(k / 2).frames for k in range(9)]
    assert frames == [1, 2, 3, 4, 5, 6, 7, 8, 5]
    unconfigured.show(4.5)  # off the new grid of one frame a second
    unconfigured.spin(0.3)
    assert unconfigured.score(5.0).frames == 6


def test_only_the_grid_is_scored(active: Harness) -> None:
    active.ask()
    active.score(0.0)
    for k in range(1, 15):
        active.show(k / 30)
        active.spin(0.02)
    active.score(0.5)
    assert [p.frames for p in active.progress] == [1, 2]


def test_compressed_images(unconfigured: Harness) -> None:
    unconfigured.set(image_transport='compressed')
    unconfigured.change('configure')
    unconfigured.change('activate')
    unconfigured.open_camera(compressed=True)
    unconfigured.ask()
    jpeg = CompressedImage(format='rgb8; jpeg compressed bgr8', data=jpeg_of(64, 48))
    jpeg.header.stamp.sec = 5
    unconfigured.images.publish(jpeg)
    unconfigured.until(lambda: unconfigured.progress)
    cut = CompressedImage(format='jpeg', data=jpeg.data[: len(jpeg.data) // 2])
    cut.header.stamp.sec = 6
    unconfigured.images.publish(cut)
    unconfigured.diagnosis('cannot be read', b'\x01')
    assert unconfigured.fact('images refused') == '1'
    jpeg.header.stamp.sec = 7
    unconfigured.images.publish(jpeg)
    unconfigured.until(lambda: len(unconfigured.progress) == 2)


def jpeg_of(width: int, height: int) -> bytes:
    import io

    from PIL import Image

    file = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file, 'JPEG')
    return file.getvalue()


def test_namespace_remapped_camera_and_task_parameter(launch) -> None:
    harness = launch(
        *AUTOSTART,
        '-r',
        'image:=/top/image_raw',
        '-p',
        'task:=Close the drawer.',
        camera='/top/image_raw',
    )
    harness.open_camera()
    message = harness.score(3.0)
    assert message.task == 'Close the drawer.'
    assert harness.health[-1].name == '/own/topreward: reward'


class Simulation:
    """Publishes 30 images per second of simulated time, which is slower than system time."""

    def __init__(self, harness: Harness) -> None:
        self.harness = harness
        self.clock = harness.node.create_publisher(Clock, '/clock', 10)
        self.time = 1000.0  # [s]
        harness.open_camera()
        harness.until(self.clock.get_subscription_count)
        harness.meet()

    def run(self, done: Callable[[], Any], clock: bool = True) -> int:
        """Publish images until done; return their number."""
        for count in range(300):
            if done():
                return count
            if clock:
                message = Clock()
                message.clock.sec, message.clock.nanosec = divmod(round(self.time * SECOND), SECOND)
                self.clock.publish(message)
                self.harness.spin(0.05)
            self.harness.show(self.time)
            self.harness.spin(0.02)
            self.time += 1 / 30
        raise AssertionError(f'not done after 300 images:\n{self.harness.output()}')


def test_simulated_time(launch) -> None:
    harness = launch(*AUTOSTART, '-p', 'use_sim_time:=true', '-p', f'task:={TASK_TEXT}')
    harness.origin = 0.0
    simulation = Simulation(harness)
    simulation.run(lambda: len(harness.progress) >= 3)
    assert [p.frames for p in harness.progress] == [1, 2, 3]
    # In simulated seconds, not the decades between simulated and system time
    assert all(0 <= p.latency < 1 for p in harness.progress)
    simulation.time = 500.0  # a bag that is restarted
    simulation.run(lambda: harness.progress[-1].episode == 2)
    assert 500 <= harness.progress[-1].header.stamp.sec < 600


@pytest.mark.slow
def test_images_before_simulated_time_begins(launch) -> None:
    """They do not affect the estimated delay of the camera, and the gate still closes later."""
    harness = launch(*AUTOSTART, '-p', 'use_sim_time:=true', '-p', f'task:={TASK_TEXT}')
    harness.origin = 0.0
    simulation = Simulation(harness)
    simulation.run(lambda: harness.progress, clock=False)
    assert math.isnan(harness.progress[0].latency)
    simulation.run(lambda: len(harness.progress) >= 3)
    harness.health.clear()
    harness.until(lambda: harness.health)
    before = int(harness.fact('images taken'))
    shown = simulation.run(lambda: len(harness.progress) >= 7)
    harness.health.clear()
    harness.until(lambda: harness.health)
    assert int(harness.fact('images taken')) - before < shown / 2
