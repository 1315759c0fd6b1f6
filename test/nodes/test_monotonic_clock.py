# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The monotonic clock of a node, on a fake clock."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from topreward_ros.nodes.common.monotonic_clock import MonotonicClock


class FakeNode:
    """A node and its clock in one object."""

    def __init__(self, simulated: bool, seconds: float) -> None:
        self.ros_time_is_active = simulated
        self.seconds = seconds

    def get_clock(self) -> FakeNode:
        return self

    def now(self) -> SimpleNamespace:
        return SimpleNamespace(nanoseconds=round(self.seconds * 1e9))


def test_simulated_time_that_begins_and_begins_anew() -> None:
    node = FakeNode(True, 0.0)
    clock = MonotonicClock(node)
    times = []
    for node.seconds in (0.0, 1.7e9, 1.7e9 + 2, 1.7e9 + 2, 5.0, 6.5, 0.0, 900.0, 901.0):
        times.append(clock.now())
    assert times == [0, 0, 2, 2, 2, 3.5, 3.5, 3.5, 4.5]


def test_setting_the_clock_of_the_machine_changes_nothing() -> None:
    node, before = FakeNode(False, 1.7e9), time.monotonic()
    clock = MonotonicClock(node)
    for node.seconds in (1.8e9, 1.0):
        assert 0 <= clock.now() <= time.monotonic() - before


def test_a_parameter_that_changes_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    wall = 100.0
    monkeypatch.setattr(time, 'monotonic', lambda: wall)
    node = FakeNode(False, 50.0)
    clock = MonotonicClock(node)
    wall += 0.5
    node.ros_time_is_active = True
    assert clock.now() == 0, 'two clocks do not compare'
    node.seconds += 3
    assert clock.now() == 3


def test_a_standstill(monkeypatch: pytest.MonkeyPatch) -> None:
    wall = 100.0
    monkeypatch.setattr(time, 'monotonic', lambda: wall)
    node = FakeNode(True, 7.0)
    clock = MonotonicClock(node)
    wall = 106.0
    assert clock.standstill() == 6
    node.seconds += 0.1
    assert clock.standstill() == 0
