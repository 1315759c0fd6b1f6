# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Events of an episode: what is told when, against the definitions written out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from topreward_ros.reward.events import (
    REGRESSED,
    STALLED,
    SUCCESS,
    EventDetector,
    EventOptions,
)
from topreward_ros.reward.live import Step
from topreward_ros.reward.success import Scene, Success

OPTIONS = EventOptions(stall_seconds=4.0, stall_rise=0.1, regress_fall=0.3)
NAN = math.nan
LEVELS = st.integers(0, 20).map(lambda level: level / 20)
CURVES = st.lists(st.tuples(st.integers(1, 6), LEVELS | st.just(NAN)), max_size=60)


def step(progress: float, scene: Scene = Scene.UNFINISHED, success: bool = False) -> Step:
    return Step(progress, 0.0, Success(0.0, 0.0) if success else None, 'fixed', scene)


def told(progress: Sequence[float], options: EventOptions = OPTIONS) -> list[tuple[float, str]]:
    """Return the events of a curve with a score per second, each with its time."""
    detector = options.start()
    return [
        (k, event) for k, each in enumerate(progress) for event in detector.update(step(each), k)
    ]


def test_a_stall_is_told_once_its_time_has_passed() -> None:
    assert told([0.5] * 20) == [(4, STALLED)]
    assert told([0.5] * 4) == []


def test_progress_that_rises_enough_is_no_stall() -> None:
    assert told([k * 0.025 for k in range(40)]) == []  # 0.1 in 4 s, to the last digit
    assert told([k * 0.024 for k in range(40)]) == [(4, STALLED)]


def test_a_stall_is_told_again_after_a_rise() -> None:
    curve = [0.2] * 8 + [0.5] * 12
    assert told(curve) == [(4, STALLED), (12, STALLED)]


def test_a_fall_is_told_once_and_again_after_half_of_it_is_made_up() -> None:
    steady = EventOptions(stall_seconds=0.0, regress_fall=0.3)
    assert told([0.1, 0.8, 0.6, 0.5, 0.4, 0.6, 0.5], steady) == [(3, REGRESSED)]
    assert told([0.8, 0.5, 0.65, 0.5], steady) == [(1, REGRESSED), (3, REGRESSED)]


def test_zero_is_off() -> None:
    assert told([1.0, *[0.0] * 50], EventOptions(stall_seconds=0.0, regress_fall=0.0)) == []


def test_success_is_an_event_and_ends_stalls_but_not_falls() -> None:
    detector = OPTIONS.start()
    assert detector.update(step(0.9, Scene.FINISHED, success=True), 0.0) == (SUCCESS,)
    for k in range(1, 20):
        assert detector.update(step(0.9), k) == ()
    assert detector.update(step(0.2), 20.0) == (REGRESSED,)


@pytest.mark.parametrize('scene', [Scene.FINISHED, Scene.FINISHED_AT_START])
def test_a_finished_scene_does_not_stall(scene: Scene) -> None:
    detector = OPTIONS.start()
    assert not any(detector.update(step(0.9, scene), k) for k in range(20))
    assert detector.update(step(0.9, Scene.UNKNOWN), 20.0) == (STALLED,)


def test_whether_it_has_stalled_now() -> None:
    detector = OPTIONS.start()
    for k in range(10):
        detector.update(step(0.5), k)
        assert detector.is_stalled == (k >= 4)
    detector.update(step(0.5, Scene.FINISHED), 10.0)
    assert not detector.is_stalled
    detector.update(step(0.5), 11.0)
    assert detector.is_stalled
    detector.update(step(0.7), 12.0)
    assert not detector.is_stalled


def test_unknown_progress_is_passed_over() -> None:
    detector = OPTIONS.start()
    assert math.isnan(detector.highest)
    assert detector.update(step(NAN, success=True), 0.0) == (SUCCESS,)
    assert told([NAN] * 20) == []
    assert told([0.5, NAN, NAN, NAN, 0.5]) == [(4, STALLED)]


def reference(curve: list[tuple[int, float]]) -> list[tuple[bool, bool]]:
    """Return for each score whether progress has stalled and is far below its highest."""
    states, seen, time = [], [], 0
    for wait, progress in curve:
        time += wait
        if math.isnan(progress):
            states.append((False, False))
            continue
        seen.append((time, progress))
        old = [each for when, each in seen if when <= time - OPTIONS.stall_seconds]
        stalls = bool(old) and progress - old[-1] < OPTIONS.stall_rise - 1e-6
        falls = max(each for _, each in seen) - progress >= OPTIONS.regress_fall - 1e-6
        states.append((stalls, falls))
    return states


def run(curve: list[tuple[int, float]]) -> list[tuple[float, tuple[str, ...]]]:
    detector, time, events = EventDetector(OPTIONS), 0, []
    for wait, progress in curve:
        time += wait
        events.append((time, detector.update(step(progress), time)))
    return events


@settings(deadline=None)
@given(CURVES)
def test_no_event_without_its_reason(curve: list[tuple[int, float]]) -> None:
    for (_, events), (stalls, falls) in zip(run(curve), reference(curve), strict=True):
        assert STALLED not in events or stalls
        assert REGRESSED not in events or falls
        assert SUCCESS not in events


@settings(deadline=None)
@given(CURVES)
def test_the_first_of_each_is_never_missed(curve: list[tuple[int, float]]) -> None:
    events, states = run(curve), reference(curve)
    for name, index in ((STALLED, 0), (REGRESSED, 1)):
        expected = next((k for k, state in enumerate(states) if state[index]), None)
        assert next((k for k, (_, each) in enumerate(events) if name in each), None) == expected


@settings(deadline=None)
@given(CURVES)
def test_stalls_are_as_far_apart_as_their_time(curve: list[tuple[int, float]]) -> None:
    times = [time for time, events in run(curve) if STALLED in events]
    assert all(b - a >= OPTIONS.stall_seconds for a, b in pairwise(times))


@settings(deadline=None)
@given(st.lists(LEVELS, min_size=1, max_size=60))
def test_memory_is_that_of_the_window(levels: list[float]) -> None:
    detector = OPTIONS.start()
    for k, level in enumerate(levels):
        detector.update(step(level), k)
    assert len(detector._recent) <= OPTIONS.stall_seconds + 2
    assert detector.highest == max(levels)
