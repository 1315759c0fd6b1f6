# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The debug image over DDS: of scored frames only, and only while someone subscribes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import pytest
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image

from topreward_ros.results import debug_picture
from topreward_ros.scoring.families import FAMILIES

from ..toy_scorer import ToyScorer
from .shown_levels import FRAME, image, show_levels
from .toy_stage import NAMESPACE, Stage, staged

TOPIC = f'{NAMESPACE}/topreward/debug_image'
LEVELS = (0.2, 0.4, 0.6)


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.setitem(FAMILIES, 'toy', ToyScorer)
    with staged() as stage:
        stage.start()
        yield stage


def watch(stage: Stage) -> tuple[list[Image], object]:
    pictures: list[Image] = []
    watcher = stage.listener.create_subscription(
        Image, TOPIC, pictures.append, qos_profile_sensor_data
    )
    stage.until(lambda: stage.node.count_subscribers(TOPIC))
    stage.until(stage.node._live._debug._publisher.get_subscription_count)
    return pictures, watcher


def test_each_scored_frame_with_its_stamp(stage: Stage) -> None:
    pictures, _ = watch(stage)
    messages = show_levels(stage, LEVELS)
    stage.until(lambda: len(pictures) == len(LEVELS))
    for picture, message, level in zip(pictures, messages, LEVELS, strict=True):
        assert picture.header == message.header and picture.header.frame_id == FRAME
        assert (picture.encoding, picture.step) == ('rgb8', 3 * picture.width)
        pixels = np.frombuffer(picture.data, np.uint8).reshape(picture.height, picture.width, 3)
        left = (picture.width - 64) // 2
        assert (pixels[:48, left : left + 64] == round(255 * level)).all(), 'as the camera has it'
        assert (pixels[48:] < 100).any(), 'letters'


def test_nothing_is_kept_or_drawn_for_nobody(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []
    draw = debug_picture.debug_picture
    monkeypatch.setattr(
        debug_picture, 'debug_picture', lambda *args: drawn.append(1) or draw(*args)
    )
    show_levels(stage, LEVELS)
    debug = stage.node._live._debug
    assert not drawn and not debug._pending
    pictures, watcher = watch(stage)
    show_levels(stage, LEVELS, first=10.0)
    stage.until(lambda: pictures)
    assert drawn
    stage.listener.destroy_subscription(watcher)
    stage.until(lambda: not debug._publisher.get_subscription_count())
    drawn.clear()
    show_levels(stage, LEVELS, first=20.0)
    assert not drawn and not debug._pending


@pytest.mark.parametrize('size', [(1, 1), (1, 200), (640, 4), (2000, 1000)])
def test_a_picture_of_any_size(stage: Stage, size: tuple[int, int]) -> None:
    pictures, _ = watch(stage)
    publish = partial(stage.listener.images.publish, image(0.5, 1.0, *size))
    stage.until(lambda: pictures, publish)
    assert pictures[0].width >= debug_picture.LEAST
    assert len(pictures[0].data) == pictures[0].step * pictures[0].height


def test_a_picture_that_cannot_be_drawn_ends_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise OSError('cannot open resource')

    monkeypatch.setattr(debug_picture, 'debug_picture', fail)
    pictures, _ = watch(stage)
    messages = show_levels(stage, LEVELS)
    assert len(messages) == len(LEVELS) and not pictures and stage.node.state == 'active'
    assert 'could not be drawn: OSError: cannot open resource' in capfd.readouterr().err
