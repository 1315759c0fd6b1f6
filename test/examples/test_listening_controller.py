# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The controller that listens: its factor by itself, and as a process over DDS."""

from __future__ import annotations

import math
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from std_msgs.msg import Float64

from topreward_ros.msg import SuccessDetected

from .example_files import EXAMPLES, load_example
from .talker import TASK, Talker, progress

SpeedScale = load_example('listening_controller').SpeedScale
TOPIC = '/listening_controller/speed_scale'
VALUES = st.floats(0, 1, width=32) | st.just(math.nan) | st.floats(width=32)


def factor(*values: float) -> float:
    scale = SpeedScale()
    for value in values:
        scale.take_progress(progress(value), 0.0)
    return scale.at(0.0)


def test_it_slows_as_progress_falls() -> None:
    assert factor(0.5) == factor(0.5, 0.9) == 1.0
    assert factor(0.9, 0.75) == pytest.approx(0.6, abs=1e-6)
    assert factor(0.9, 0.1) == pytest.approx(0.2)
    assert factor(0.9, math.nan) == pytest.approx(0.2)
    assert factor(0.9, 0.1, 0.9) == 1.0
    assert factor(0.9, math.nan, 0.75) == pytest.approx(0.6, abs=1e-6)


def test_it_stops_where_nothing_is_known_or_what_is_known_is_old() -> None:
    scale = SpeedScale(time_limit=2.0)
    assert scale.at(0.0) == 0.0
    scale.take_progress(progress(0.5), 10.0)
    assert scale.at(12.0) == 1.0 and scale.at(12.1) == 0.0
    scale.take_progress(progress(0.5, latency=1.5), 20.0)
    assert scale.at(20.5) == 1.0 and scale.at(20.6) == 0.0, 'the age of the image'


def test_it_stops_on_success_until_the_next_episode() -> None:
    scale = SpeedScale()
    scale.take_progress(progress(0.9, episode=3), 0.0)
    scale.take_success(SuccessDetected(episode=2, task=TASK))
    assert scale.at(0.0) == 1.0, 'that was an earlier one'
    scale.take_success(SuccessDetected(episode=3, task=TASK))
    scale.take_progress(progress(0.9, episode=3), 0.1)
    assert scale.at(0.1) == 0.0
    scale.take_progress(progress(0.1, episode=4), 0.2)
    assert scale.at(0.2) == 1.0, 'nor is its progress compared with the earlier one'


@settings(deadline=None)
@given(st.lists(VALUES, max_size=20), VALUES)
def test_the_factor_is_always_from_0_to_1(values: list[float], latency: float) -> None:
    scale = SpeedScale()
    for k, value in enumerate(values):
        scale.take_progress(progress(value, latency=latency), k)
        assert 0.0 <= scale.at(k) <= 1.0


@pytest.mark.parametrize(
    'values', [{'slowest': -0.1}, {'fall': 0.0}, {'time_limit': 0.0}, {'time_limit': math.nan}]
)
def test_values_that_are_none(values: dict[str, float]) -> None:
    with pytest.raises(ValueError, match='expected 0 to 1, more than 0'):
        SpeedScale(**values)


@pytest.fixture
def talker() -> Iterator[Talker]:
    talker = Talker()
    yield talker
    talker.close()


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, EXAMPLES / 'listening_controller.py', '--ros-args']
    with subprocess.Popen([*command, '-p', 'time_limit:=1.0']) as process:
        yield process
        process.kill()


def test_over_dds(talker: Talker, process: subprocess.Popen[bytes]) -> None:
    factors: list[float] = []
    talker.create_subscription(Float64, TOPIC, lambda message: factors.append(message.data), 10)
    talker.until(lambda: factors)
    assert set(factors) == {0.0}, 'before any progress'
    talker.meet()

    def says(value: float, expected: float) -> None:
        def is_heard() -> bool:
            talker.say(value)
            return bool(factors) and factors[-1] == pytest.approx(expected, abs=1e-6)

        talker.until(is_heard)

    says(0.8, 1.0)
    says(0.65, 0.6)
    talker.until(lambda: factors[-1] == 0.0)  # nothing more is said
    says(0.8, 1.0)
    talker.succeed()
    talker.until(lambda: factors[-1] == 0.0)
    count = len(factors)
    for _ in range(5):
        talker.say(0.9)
        talker.until(lambda count=count: len(factors) > count)
        count = len(factors)
    assert factors[-1] == 0.0, 'progress after a success moves nothing'
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 0
