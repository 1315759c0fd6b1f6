# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Time that only goes on, on a clock that is told what to say."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from topreward_ros.nodes.common.monotonic_clock import ForwardClock


class Told:
    """A node and its clock at once."""

    def __init__(self, simulated: bool, seconds: float) -> None:
        self.ros_time_is_active = simulated
        self.seconds = seconds

    def get_clock(self) -> Told:
        return self

    def now(self) -> SimpleNamespace:
        return SimpleNamespace(nanoseconds=round(self.seconds * 1e9))


def test_simulated_time_that_begins_and_begins_anew() -> None:
    told = Told(True, 0.0)
    clock = ForwardClock(told)
    seen = []
    for told.seconds in (0.0, 1.7e9, 1.7e9 + 2, 1.7e9 + 2, 5.0, 6.5, 0.0, 900.0, 901.0):
        seen.append(clock.now())
    assert seen == [0, 0, 2, 2, 2, 3.5, 3.5, 3.5, 4.5]


def test_setting_the_clock_of_the_machine_changes_nothing() -> None:
    told = Told(False, 1.7e9)
    clock, before = ForwardClock(told), time.monotonic()
    for told.seconds in (1.8e9, 1.0):
        assert clock.now() <= time.monotonic() - before + 0.1


def test_a_parameter_that_changes_the_clock() -> None:
    told = Told(False, 50.0)
    clock = ForwardClock(told)
    told.ros_time_is_active = True
    assert clock.now() < 1
    told.seconds += 3
    assert 3 <= clock.now() < 4


def test_a_standstill(monkeypatch: pytest.MonkeyPatch) -> None:
    wall = 100.0
    monkeypatch.setattr(time, 'monotonic', lambda: wall)
    told = Told(True, 7.0)
    clock = ForwardClock(told)
    wall = 106.0
    assert clock.standstill() == 6
    told.seconds += 0.1
    assert clock.standstill() == 0
