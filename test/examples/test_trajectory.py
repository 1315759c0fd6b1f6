# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which trajectories the simulated controller follows, and how it keeps limits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from examples.arm_sim.trajectory import Follower, Limits, Trajectory, TrajectoryError

JOINTS = ('pan', 'lift')
LIMITS = Limits(JOINTS, np.array([-1.0, -2.0]), np.array([1.0, 2.0]), np.array([1.5, 0.5]))
STEP = 0.004


def trajectory(
    times: list[float] | None = None, rows: list[list[float]] | None = None, **changes: Any
) -> Trajectory:
    values = {
        'joints': JOINTS,
        'times': np.array([1.0, 2.0] if times is None else times),
        'positions': np.array([[0.5, 0.2], [0.9, 0.4]] if rows is None else rows),
        **changes,
    }
    return Trajectory(**values)


def follow(follower: Follower, seconds: float, now: float = 0.0) -> np.ndarray:
    """Return the references (n, joints) of every step."""
    rows = []
    for k in range(round(seconds / STEP)):
        follower.step(now + (k + 1) * STEP, STEP)
        rows.append(follower.positions)
    return np.array(rows)


BAD = {
    'names the joints pan, elbow; expected pan, lift': {'joints': ('pan', 'elbow')},
    'names the joints pan, pan': {'joints': ('pan', 'pan')},
    'positions are not all finite': {'rows': [[0.5, np.nan], [0.9, 0.4]]},
    'velocities are not all finite': {'velocities': np.array([[np.inf, 0.0], [0.0, 0.0]])},
    'point 2 is at 0.5 s and the one before it at 1 s': {'times': [1.0, 0.5]},
    'point 2 is at 1 s and the one before it at 1 s': {'times': [1.0, 1.0]},
    'expected 0 to 600 s': {'times': [-1.0, 1.0]},
    'are at 1 to nan s': {'times': [1.0, np.nan]},
    'has no points': {'times': [], 'rows': np.zeros((0, 2))},
    'point 2 moves pan to 1.5; expected -1 to 1': {'rows': [[0.5, 0.2], [1.5, 0.4]]},
    'last point is not at rest': {'velocities': np.array([[0.0, 0.0], [0.1, 0.0]])},
    'accelerations and no velocities': {'accelerations': np.zeros((2, 2))},
    'ended at 3.000 s, and it is 5.000 s': {'start': 1.0},
}


@pytest.mark.parametrize('reason', BAD)
def test_a_bad_trajectory_is_refused_and_nothing_moves(reason: str) -> None:
    follower = Follower(LIMITS, np.array([0.1, -0.1]))
    with pytest.raises(TrajectoryError, match=reason):
        follower.follow(trajectory(**BAD[reason]), 5.0)
    assert (follow(follower, 1.0, 5.0) == [0.1, -0.1]).all()


def test_a_refused_trajectory_does_not_end_the_one_before() -> None:
    follower = Follower(LIMITS, np.zeros(2))
    follower.follow(trajectory(), 0.0)
    follow(follower, 0.5)
    with pytest.raises(TrajectoryError):
        follower.follow(trajectory(joints=('pan', 'elbow')), 0.5)
    follow(follower, 1.6, 0.5)
    assert follower.positions == pytest.approx([0.9, 0.4])


@pytest.mark.parametrize('order', [0, 1, 2])
def test_points_are_passed_in_time_with_splines_of_every_order(order: int) -> None:
    zeros = np.zeros((2, 2))
    given = {'velocities': zeros} if order else {}
    given |= {'accelerations': zeros} if order == 2 else {}
    follower = Follower(LIMITS, np.zeros(2))
    follower.follow(trajectory(**given), 0.0)
    rows = follow(follower, 2.0)
    assert rows[round(1.0 / STEP) - 1] == pytest.approx([0.5, 0.2], abs=1e-6)
    assert rows[-1] == pytest.approx([0.9, 0.4], abs=1e-6) and follower.is_done
    quarter = {0: 0.25, 1: 0.15625, 2: 0.103515625}[order]  # of the first way, in closed form
    assert rows[round(0.25 / STEP) - 1, 0] == pytest.approx(0.5 * quarter, abs=0.01)


def test_joints_may_be_in_another_order() -> None:
    follower = Follower(LIMITS, np.zeros(2))
    rows = [[0.2, 0.5], [0.4, 0.9]]
    follower.follow(trajectory(joints=('lift', 'pan'), rows=rows), 0.0)
    follow(follower, 2.1)
    assert follower.positions == pytest.approx([0.9, 0.4])


def test_velocity_limits_are_kept_and_the_goal_is_reached_later() -> None:
    follower = Follower(LIMITS, np.zeros(2))
    follower.follow(trajectory(times=[0.1], rows=[[0.9, 1.9]]), 0.0)
    rows = follow(follower, 4.2)
    speeds = np.abs(np.diff(np.vstack([np.zeros(2), rows]), axis=0)) / STEP
    assert (speeds <= LIMITS.max_velocity + 1e-9).all()
    assert speeds.max(axis=0) == pytest.approx(LIMITS.max_velocity)
    assert rows[-1] == pytest.approx([0.9, 1.9])


def test_position_limits_are_kept_by_a_spline_that_overshoots() -> None:
    follower = Follower(LIMITS, np.array([0.9, 0.0]))
    follower.follow(
        trajectory(
            times=[1.0, 2.0], rows=[[1.0, 0.0], [0.9, 0.0]],
            velocities=np.array([[1.4, 0.0], [0.0, 0.0]]),
        ),
        0.0,
    )  # fmt: skip
    rows = follow(follower, 2.0)
    assert rows[:, 0].max() <= 1.0


def test_a_new_trajectory_begins_where_the_reference_is() -> None:
    follower = Follower(LIMITS, np.zeros(2))
    follower.follow(trajectory(), 0.0)
    before = follow(follower, 0.8)[-1]
    follower.follow(trajectory(times=[2.0], rows=[[-0.5, 0.0]]), 0.8)
    rows = follow(follower, 2.1, 0.8)
    assert np.abs(rows[0] - before).max() < 0.005
    assert rows[-1] == pytest.approx([-0.5, 0.0])


def test_a_stamp_in_the_future_is_waited_for() -> None:
    follower = Follower(LIMITS, np.zeros(2))
    follower.follow(trajectory(times=[1.0], rows=[[0.5, 0.0]], start=2.0), 0.0)
    follow(follower, 3.1)
    assert follower.positions == pytest.approx([0.5, 0.0])


def test_hold_stays() -> None:
    follower = Follower(LIMITS, np.zeros(2))
    follower.follow(trajectory(), 0.0)
    before = follow(follower, 0.5)[-1]
    follower.hold()
    assert (follow(follower, 2.0, 0.5) == before).all()
