# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from topreward_ros.nodes.reward.subscription_gate import (
    ARRIVAL_MARGIN,
    STEP_DOWN,
    STEP_UP,
    ArrivalEstimate,
    GatedCallbackGroup,
)

MILLISECOND = 1_000_000


class Entity:
    pass


def test_a_shut_gate_keeps_its_entities_out() -> None:
    group, entity = GatedCallbackGroup(), Entity()
    group.add_entity(entity)  # type: ignore[arg-type]
    assert group.can_execute(entity)
    group.open = False
    assert not group.can_execute(entity)


def test_the_gate_opens_when_the_image_will_be_there() -> None:
    estimate = ArrivalEstimate()
    assert estimate.wait(500 * MILLISECOND, 0) == 0  # no image yet: leave it open
    estimate.update(0, 1030 * MILLISECOND)  # another clock, and a delay of 30 ms
    assert estimate.arrival(500 * MILLISECOND) == 1530 * MILLISECOND
    wait = estimate.wait(500 * MILLISECOND, 1035 * MILLISECOND)
    assert wait == 495 * MILLISECOND + ARRIVAL_MARGIN


def test_the_estimate_follows_down_at_once_and_up_in_steps() -> None:
    estimate = ArrivalEstimate()
    estimate.update(0, 50 * MILLISECOND)
    estimate.update(0, 30 * MILLISECOND)
    assert estimate.arrival(0) == 30 * MILLISECOND
    estimate.update(0, 90 * MILLISECOND)  # late once
    assert estimate.arrival(0) == 30 * MILLISECOND + STEP_UP
    for _ in range(20):
        estimate.update(0, 90 * MILLISECOND)
    assert estimate.arrival(0) == 90 * MILLISECOND


def test_images_that_lay_ready_do_not_make_it_drift_late() -> None:
    """A gate that opens by the estimate takes every image later than it arrived."""
    estimate, arrivals = ArrivalEstimate(), 8 * MILLISECOND
    estimate.update(0, arrivals)
    for k in range(1, 500):
        stamp = k * 500 * MILLISECOND
        opens = stamp + estimate.arrival(0) + ARRIVAL_MARGIN
        arrival = stamp + arrivals
        estimate.update(stamp, max(opens, arrival), was_ready=arrival <= opens)
        assert -ARRIVAL_MARGIN - STEP_DOWN <= estimate.arrival(0) - arrivals <= STEP_UP


def test_short_waits_are_not_worth_it() -> None:
    estimate = ArrivalEstimate()
    estimate.update(0, 0)
    assert estimate.wait(20 * MILLISECOND, 5 * MILLISECOND) == 0
