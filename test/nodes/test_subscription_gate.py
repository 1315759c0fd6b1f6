# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from topreward_ros.nodes.reward.subscription_gate import (
    MARGIN,
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
    assert estimate.wait(500 * MILLISECOND, 0) == 0  # nothing is known: leave it open
    estimate.see(0, 1030 * MILLISECOND)  # another clock, and 30 ms on the way
    assert estimate.arrival(500 * MILLISECOND) == 1530 * MILLISECOND
    wait = estimate.wait(500 * MILLISECOND, 1035 * MILLISECOND)
    assert wait == 495 * MILLISECOND + MARGIN


def test_the_estimate_follows_down_at_once_and_up_in_steps() -> None:
    estimate = ArrivalEstimate()
    estimate.see(0, 50 * MILLISECOND)
    estimate.see(0, 30 * MILLISECOND)
    assert estimate.arrival(0) == 30 * MILLISECOND
    estimate.see(0, 90 * MILLISECOND)  # late once
    assert estimate.arrival(0) == 30 * MILLISECOND + STEP_UP
    for _ in range(20):
        estimate.see(0, 90 * MILLISECOND)
    assert estimate.arrival(0) == 90 * MILLISECOND


def test_images_that_lay_ready_do_not_make_it_drift_late() -> None:
    """A gate that opens by the estimate sees them later than they came, each time anew."""
    estimate, arrivals = ArrivalEstimate(), 8 * MILLISECOND
    estimate.see(0, arrivals)
    for k in range(1, 500):
        stamp = k * 500 * MILLISECOND
        opens = stamp + estimate.arrival(0) + MARGIN
        came = stamp + arrivals
        estimate.see(stamp, max(opens, came), lay_ready=came <= opens)
        assert -MARGIN - STEP_DOWN <= estimate.arrival(0) - arrivals <= STEP_UP


def test_short_waits_are_not_worth_it() -> None:
    estimate = ArrivalEstimate()
    estimate.see(0, 0)
    assert estimate.wait(20 * MILLISECOND, 5 * MILLISECOND) == 0
