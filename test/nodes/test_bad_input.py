# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Bad input over DDS: a clear message and a count, never a crash or a wrong number."""

from __future__ import annotations

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import String

from .harness import Harness
from .test_lifecycle import AUTOSTART, LEVEL_ERROR, LEVEL_OK, LEVEL_WARN


def test_stamps_that_repeat(active: Harness) -> None:
    active.ask()
    active.score(5.0)
    active.diagnosis('scoring', LEVEL_OK)
    for _ in range(40):
        active.show(5.0)
        active.spin(0.05)
    active.diagnosis('do not advance: the camera does not set them', LEVEL_WARN)
    assert int(active.fact('stamps repeated')) > 5
    assert len(active.progress) == 1
    assert active.score(5.5).frames == 2


def test_stamp_from_before_the_beginning_of_time(active: Harness) -> None:
    active.ask()
    active.origin = 0.0
    active.show(-3.0)
    active.diagnosis('is stamped -3', LEVEL_WARN)
    assert active.score(5.5).frames == 1


def test_stamps_that_jump_back(active: Harness) -> None:
    active.ask()
    active.score(500.0)
    message = active.score(100.0)
    assert (message.episode, message.frames) == (2, 1)
    assert active.score(100.5).frames == 2
    assert 'the image stamps jumped back: a new episode begins' in active.output()
    active.until(lambda: active.fact('stamp jumps') == '1')


def test_stamps_that_jump_far_ahead(active: Harness) -> None:
    active.ask()
    active.score(100.0)
    message = active.score(100_000.0)
    assert (message.episode, message.frames) == (2, 1)
    assert 'the image stamps jumped ahead' in active.output()


@pytest.mark.parametrize(
    ('fields', 'reason'),
    [
        ({'encoding': 'yuv422_no_such'}, "encoding 'yuv422_no_such'"),
        ({'width': 0, 'height': 0, 'data': b''}, 'empty'),
        ({'data': b'\x00' * 10}, 'has 10 bytes'),
        ({'step': 3}, 'with 3 bytes a row'),
        ({'height': 2**31}, 'bytes'),
    ],
)
def test_images_that_cannot_be_read(active: Harness, fields: dict, reason: str) -> None:
    active.ask()
    active.score(1.0)
    active.show(1.5, **fields)
    assert reason in active.diagnosis('', LEVEL_WARN)
    assert active.fact('images refused') == '1'
    assert active.score(2.0).frames == 2
    active.diagnosis('scoring', LEVEL_OK)


def test_a_refused_image_is_not_complained_of_for_ever(active: Harness) -> None:
    active.ask()
    active.show(1.0, step=3)
    active.diagnosis('with 3 bytes a row', LEVEL_WARN)
    active.diagnosis('has stopped', LEVEL_WARN)
    active.show(2.0, step=3)
    active.diagnosis('with 3 bytes a row', LEVEL_WARN)
    active.ask('another task')
    active.diagnosis('scoring', LEVEL_OK)


def test_size_that_changes_within_an_episode(active: Harness) -> None:
    active.ask()
    active.score(1.0)
    other = np.zeros((100, 40, 3), np.uint8)
    assert active.score(1.5, pixels=other).frames == 2
    active.until(lambda: active.fact('images of another size') == '1')
    assert 'changed from 64x48 to 40x100' in active.output()


def test_absurdly_narrow_image(active: Harness) -> None:
    active.ask()
    active.show(1.0, pixels=np.zeros((1, 900, 3), np.uint8))
    assert '200 times as long' in active.diagnosis('', LEVEL_WARN)
    assert active.score(1.5).frames == 1


@pytest.mark.parametrize('task', ['x' * 100_000, '   '])
def test_tasks_that_are_refused_stop_scoring(active: Harness, task: str) -> None:
    active.ask()
    active.score(1.0)
    active.tasks.publish(String(data=task))
    if task.strip():
        assert '100000 characters' in active.diagnosis('task refused', LEVEL_ERROR)
    else:
        active.diagnosis('waiting for a task', LEVEL_OK)
    active.show(1.1)
    active.spin(0.3)
    assert len(active.progress) == 1
    active.ask('a better one')
    assert active.score(2.0).frames == 1


def test_special_tokens_in_a_task_are_text(active: Harness) -> None:
    scores, seconds = {}, 0.0
    for task in ('put it <|im_end|> there', 'put it <|video_pad|> there', 'put it there'):
        active.ask(task)
        for k in range(3):
            pixels = np.full((48, 64, 3), 80 * k, np.uint8)
            scores[task] = active.score(seconds + k / 2, pixels=pixels).log_prob
        seconds += 5
    assert len(set(scores.values())) == 3 and all(-50 < score < 0 for score in scores.values())


def test_tasks_faster_than_scores(active: Harness) -> None:
    for k in range(30):
        active.tasks.publish(String(data=f'task {k}'))
    active.until(lambda: active.fact('task') == 'task 29')
    message = active.score(1.0)
    assert (message.task, message.frames) == ('task 29', 1)


def test_camera_that_stops_and_comes_back(active: Harness) -> None:
    active.ask()
    active.score(1.0)
    active.diagnosis('has stopped', LEVEL_WARN)
    assert active.score(1.5).frames == 2
    active.diagnosis('scoring', LEVEL_OK, seconds=2)
    active.close_camera()
    active.diagnosis('no camera publishes on /image', LEVEL_WARN)


def test_camera_whose_images_do_not_arrive(active: Harness) -> None:
    active.ask()
    assert 'fastdds_images.xml' in active.diagnosis('images do not arrive', LEVEL_WARN)


def test_camera_of_another_type(unconfigured: Harness) -> None:
    unconfigured.change('configure')
    unconfigured.change('activate')
    camera = unconfigured.node.create_publisher(CompressedImage, '/image', 10)
    unconfigured.ask()
    message = unconfigured.diagnosis('has the type sensor_msgs/msg/CompressedImage', LEVEL_WARN)
    assert 'image_transport' in message
    unconfigured.node.destroy_publisher(camera)


def test_task_publisher_that_is_not_transient_local(active: Harness) -> None:
    publisher = active.node.create_publisher(String, '/topreward/task', 10)
    active.until(lambda: '--qos-durability transient_local' in active.output())
    active.node.destroy_publisher(publisher)


@pytest.mark.slow
def test_slow_model_scores_every_frame_and_never_blocks(launch) -> None:
    harness = launch(*AUTOSTART, '-p', 'task:=x', faults={'score_seconds': 2.0})
    harness.open_camera()
    harness.until(lambda: harness.fact('state') == 'active')
    harness.score(0.0)
    for k in range(1, 13):
        harness.show(k / 2)
        harness.until(lambda kept=k: harness.fact('images kept') == str(kept + 1), seconds=5)
        if k == 6:  # the node responds while it scores
            before = len(harness.progress)
            assert harness.state() == 'active'
            assert len(harness.progress) == before
    harness.until(lambda: harness.progress[-1].frames == 13)
    assert len(harness.progress) < 13  # one score for all waiting frames
    assert harness.fact('frames dropped (model too slow)') == '0'


@pytest.mark.slow
def test_full_queue_drops_the_oldest_and_counts(launch) -> None:
    harness = launch(
        *AUTOSTART, '-p', 'task:=x', '-p', 'queue_size:=2', faults={'score_seconds': 2.0}
    )
    harness.open_camera()
    harness.until(lambda: harness.fact('state') == 'active')
    for k in range(6):
        harness.show(k / 2)
        harness.until(lambda kept=k: harness.fact('images kept') == str(kept + 1), seconds=5)
    harness.until(lambda: harness.fact('frames waiting') == '0')
    dropped = int(harness.fact('frames dropped (model too slow)'))
    assert dropped >= 1
    assert harness.progress[-1].frames == 6 - dropped
    assert harness.progress[-1].header.stamp.nanosec == SECOND_HALF
    assert 'the model falls behind' in harness.output()


def test_clock_that_stands_still(launch) -> None:
    harness = launch(*AUTOSTART, '-p', 'task:=x', '-p', 'use_sim_time:=true')
    harness.origin = 0.0
    harness.open_camera()
    harness.until(lambda: harness.fact('state') == 'active')
    clock = harness.node.create_publisher(Clock, '/clock', 10)
    harness.meet()
    harness.score(0.0)
    harness.diagnosis('nothing has been published on /clock', LEVEL_WARN)
    clock.publish(Clock(clock=Time(sec=5)))
    harness.until(lambda: '/clock' not in harness.health[-1].message)
    assert harness.score(0.5).frames == 2
    harness.diagnosis('has not advanced', LEVEL_WARN)
    assert harness.score(1.0).frames == 3


@pytest.mark.slow
def test_score_of_an_activation_before_is_not_published(launch) -> None:
    harness = launch(*AUTOSTART, '-p', 'task:=old', faults={'score_seconds': 3.0})
    harness.open_camera()
    harness.until(lambda: harness.fact('state') == 'active')
    harness.show(0.0)
    harness.until(lambda: harness.fact('frames waiting') == '1')
    assert harness.change('deactivate') and harness.change('activate')
    harness.ask('new')
    message = harness.score(50.0)
    assert (message.task, message.frames, message.episode) == ('new', 1, 2)
    assert [p.task for p in harness.progress] == ['new']


SECOND_HALF = 500_000_000  # the stamp of the last image is 2.5 s


def test_model_that_fails(launch) -> None:
    harness = launch(*AUTOSTART, '-p', 'task:=x', faults={'score_error': 3})
    harness.open_camera()
    harness.until(lambda: harness.fact('state') == 'active')
    harness.score(0.0)
    harness.score(0.5)
    harness.show(1.0)
    assert 'no memory left' in harness.diagnosis('scoring failed, episode 1 ended', LEVEL_ERROR)
    assert harness.start_episode().success
    assert harness.score(1.5).frames == 1
    harness.diagnosis('scoring', LEVEL_OK)
