# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Events of a live episode: success, stalled and regressed on ~/events, over DDS."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from rclpy.parameter import Parameter
from std_msgs.msg import String

from topreward_ros.msg import Event
from topreward_ros.nodes.common.qos import QOS_RESULT, QOS_TASK
from topreward_ros.nodes.reward.settings import RewardSettings
from topreward_ros.scoring.families import FAMILIES

from ..toy_scorer import ToyScorer
from .shown_levels import FRAME, show_levels
from .toy_stage import FPS, NAMESPACE, TASK, Stage, staged

TOPIC = f'{NAMESPACE}/topreward/events'
SETTINGS = {
    'success_threshold': -1.0,
    'stall_seconds': 1.0,
    'stall_rise': 0.1,
    'regress_fall': 0.3,
}


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FAMILIES, 'toy', ToyScorer)


@pytest.fixture
def stage() -> Iterator[Stage]:
    with staged(**SETTINGS) as stage:
        yield stage


def listen(stage: Stage) -> list[Event]:
    events: list[Event] = []
    stage.listener.create_subscription(Event, TOPIC, events.append, QOS_RESULT)
    stage.start()
    stage.until(lambda: stage.listener.count_publishers(TOPIC))
    return events


def test_each_event_once_with_what_it_was_judged_from(stage: Stage) -> None:
    events = listen(stage)
    curve = [0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.8, 0.4, 0.4, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    messages = show_levels(stage, curve)
    stage.until(lambda: len(events) >= 3)
    stage.until(lambda: stage.listener.successes)
    stage.executor.spin_once(timeout_sec=0.2)
    assert [each.event for each in events] == [Event.STALLED, Event.REGRESSED, Event.SUCCESS]
    stalled, regressed, success = events
    assert (stalled.frames, regressed.frames) == (FPS + 1, 8)
    assert stalled.seconds == pytest.approx(1.0) and regressed.seconds == pytest.approx(7 / FPS)
    assert regressed.progress == pytest.approx(0.4, abs=0.01)
    assert regressed.highest == pytest.approx(0.8, abs=0.01)
    assert success.header == stage.listener.successes[0].header
    for each in events:
        source = messages[each.frames - 1]
        assert each.header == source.header and each.header.frame_id == FRAME
        assert (each.episode, each.task, each.reward_model) == (1, TASK, 'toy')
        assert each.progress == source.progress


def test_an_episode_knows_nothing_of_the_one_before(stage: Stage) -> None:
    events = listen(stage)
    show_levels(stage, [0.1, 0.9])
    stage.listener.create_publisher(String, 'topreward/task', QOS_TASK).publish(
        String(data='Make it dark.')
    )
    stage.until(lambda: stage.node._live._task == 'Make it dark.')
    show_levels(stage, [0.1, 0.2, 0.2, 0.2, 0.2, 0.2], first=100.0)
    stage.until(lambda: events)
    (event,) = events
    assert (event.event, event.episode, event.task) == (Event.STALLED, 2, 'Make it dark.')
    assert event.highest == pytest.approx(0.2, abs=0.01)


def test_events_can_be_switched_off_from_the_next_episode_on(stage: Stage) -> None:
    events = listen(stage)
    off = [Parameter(name, value=0.0) for name in ('stall_seconds', 'regress_fall')]
    assert all(result.successful for result in stage.node.set_parameters(off))
    show_levels(stage, [0.9, 0.1])
    stage.until(lambda: events)
    assert stage.node._live.restart()[0]
    show_levels(stage, [0.9, *[0.1] * 8], first=100.0)
    assert [(each.episode, each.event) for each in events] == [(1, Event.REGRESSED)]


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('stall_seconds', -1.0),
        ('stall_seconds', float('nan')),
        ('stall_rise', 0.0),
        ('regress_fall', 1.5),
    ],
)
def test_a_limit_that_is_none(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f'{name} is .*; expected'):
        RewardSettings(**{name: value})
