# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Joint trajectories: what is accepted, how they are interpolated, how limits are kept.

As ros2_control's joint_trajectory_controller does: cubic or quintic splines where velocities or
accelerations are given, straight lines where not, and all joints in one trajectory.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from topreward_ros.errors import TopRewardError

LIMIT_MARGIN = 0.02  # by which a point may lie outside the limits; it is brought to them [rad]
LONGEST = 600.0  # [s]
AT_REST = 1e-3  # of a last point [rad/s]


class TrajectoryError(TopRewardError):
    """A trajectory that is not followed."""


@dataclass(frozen=True)
class Trajectory:
    """Points (n, joints) at times [s] (n,) after `start`, or after its arrival without one.

    Units are rad, rad/s, rad/s^2. velocities and accelerations are None where none are given.
    """

    joints: tuple[str, ...]
    times: np.ndarray
    positions: np.ndarray
    velocities: np.ndarray | None = None
    accelerations: np.ndarray | None = None
    start: float | None = None

    def ordered(self, joints: tuple[str, ...]) -> Trajectory:
        """Return it with its columns in the order of these joints, which are its own."""
        columns = [self.joints.index(joint) for joint in joints]

        def pick(rows: np.ndarray | None) -> np.ndarray | None:
            return None if rows is None else rows[:, columns]

        return Trajectory(
            joints,
            self.times,
            self.positions[:, columns],
            pick(self.velocities),
            pick(self.accelerations),
            self.start,
        )


@dataclass(frozen=True)
class Limits:
    """The joints of a controller with the limits [rad, rad/s] that it keeps, each (joints,)."""

    joints: tuple[str, ...]
    lower: np.ndarray
    upper: np.ndarray
    max_velocity: np.ndarray

    def check(self, trajectory: Trajectory, now: float) -> None:
        """Raise TrajectoryError with the reason why a trajectory cannot be followed."""
        if sorted(trajectory.joints) != sorted(self.joints):
            raise TrajectoryError(
                f'the trajectory names the joints {_listed(trajectory.joints)}; expected '
                f'{_listed(self.joints)}, each once, in any order'
            )
        check_numbers(trajectory)
        last = trajectory.times[-1]
        if trajectory.start is not None and trajectory.start + last < now:
            raise TrajectoryError(
                f'the trajectory ended at {trajectory.start + last:.3f} s, and it is {now:.3f} s; '
                'expected a stamp of this clock, or none'
            )
        rows = trajectory.ordered(self.joints).positions
        outside = (rows < self.lower - LIMIT_MARGIN) | (rows > self.upper + LIMIT_MARGIN)
        if outside.any():
            point, joint = (int(k[0]) for k in np.nonzero(outside))
            raise TrajectoryError(
                f'point {point + 1} moves {self.joints[joint]} to {rows[point, joint]:.6g}; '
                f'expected {self.lower[joint]:.6g} to {self.upper[joint]:.6g}'
            )


def check_numbers(trajectory: Trajectory) -> None:
    """Raise TrajectoryError for missing points, numbers that are not finite, or a wrong order."""
    times = trajectory.times
    if not len(times):
        raise TrajectoryError('the trajectory has no points; expected at least one')
    for name in ('positions', 'velocities', 'accelerations'):
        rows = getattr(trajectory, name)
        if rows is not None and not np.isfinite(rows).all():
            raise TrajectoryError(f'the {name} are not all finite numbers')
    if not np.isfinite(times).all() or times[0] < 0 or times[-1] > LONGEST:
        raise TrajectoryError(
            f'the points are at {times[0]:.6g} to {times[-1]:.6g} s; expected 0 to {LONGEST:.0f} s'
        )
    if (back := np.nonzero(np.diff(times) <= 0)[0]).size:
        first = int(back[0])
        raise TrajectoryError(
            f'point {first + 2} is at {times[first + 1]:.6g} s and the one before it at '
            f'{times[first]:.6g} s; expected times that increase'
        )
    if trajectory.accelerations is not None and trajectory.velocities is None:
        raise TrajectoryError('there are accelerations and no velocities; expected both or neither')
    if trajectory.velocities is not None and np.abs(trajectory.velocities[-1]).max() > AT_REST:
        raise TrajectoryError('the last point is not at rest; expected velocities of 0')


class Follower:
    """The reference of some joints: follows the newest trajectory and keeps the limits."""

    def __init__(self, limits: Limits, positions: np.ndarray) -> None:
        self.limits = limits
        self.rest_at(positions)

    def rest_at(self, positions: np.ndarray) -> None:
        """Forget the trajectory and put the reference somewhere."""
        self.positions = np.clip(np.array(positions, float), self.limits.lower, self.limits.upper)
        self.velocities = np.zeros(len(self.positions))
        self._trajectory: Trajectory | None = None
        self._began = 0.0

    def hold(self) -> None:
        """Stay where the reference is."""
        self.rest_at(self.positions)

    def follow(self, trajectory: Trajectory, now: float) -> None:
        """Begin a trajectory in place of the one before; raises TrajectoryError, and goes on."""
        self.limits.check(trajectory, now)
        own = trajectory.ordered(self.limits.joints)
        self._began = now if own.start is None else own.start
        first = now - self._began  # where the reference is now, on the trajectory's own time
        keep = own.times > first
        zero = np.zeros((1, len(self.positions)))

        def joined(rows: np.ndarray | None, before: np.ndarray) -> np.ndarray | None:
            return None if rows is None else np.vstack([before, rows[keep]])

        positions = np.vstack([self.positions[None], own.positions[keep]])
        self._trajectory = Trajectory(
            own.joints,
            np.concatenate([[first], own.times[keep]]),
            positions,
            joined(own.velocities, self.velocities[None]),
            joined(own.accelerations, zero),
        )
        if len(positions) == 1:  # one point, at the time 0: at once, within the limits
            self._trajectory = Trajectory(own.joints, np.array([first]), own.positions[-1:])

    def step(self, now: float, seconds: float) -> None:
        """Advance the reference to a time [s]; seconds have passed since the step before."""
        wanted = self.positions
        if self._trajectory is not None:
            wanted = sample(self._trajectory, now - self._began)
        wanted = np.clip(wanted, self.limits.lower, self.limits.upper)
        most = self.limits.max_velocity * seconds
        move = np.clip(wanted - self.positions, -most, most)
        self.positions = self.positions + move
        self.velocities = move / seconds

    @property
    def is_done(self) -> bool:
        """Whether the reference is at the end of the trajectory."""
        end = self._trajectory.positions[-1] if self._trajectory is not None else self.positions
        return bool(np.abs(end - self.positions).max() < 1e-6)


def sample(trajectory: Trajectory, time: float) -> np.ndarray:
    """Return the positions (joints,) at a time [s], by splines of the order that is given."""
    times = trajectory.times
    if time >= times[-1] or len(times) == 1:
        return trajectory.positions[-1]
    k = max(1, int(np.searchsorted(times, time, side='right')))
    length = float(times[k] - times[k - 1])
    share = min(max((time - float(times[k - 1])) / length, 0.0), 1.0)
    a, b = trajectory.positions[k - 1], trajectory.positions[k]
    if trajectory.velocities is None:
        return a + (b - a) * share
    va, vb = trajectory.velocities[k - 1] * length, trajectory.velocities[k] * length
    if trajectory.accelerations is None:
        return _cubic(share, a, b, va, vb)
    square = length * length
    aa, ab = trajectory.accelerations[k - 1] * square, trajectory.accelerations[k] * square
    return _quintic(share, a=a, b=b, va=va, vb=vb, aa=aa, ab=ab)


def _cubic(s: float, a: np.ndarray, b: np.ndarray, va: np.ndarray, vb: np.ndarray) -> np.ndarray:
    c, d = 3 * (b - a) - 2 * va - vb, 2 * (a - b) + va + vb
    return a + s * (va + s * (c + s * d))


def _quintic(
    s: float,
    *,
    a: np.ndarray,
    b: np.ndarray,
    va: np.ndarray,
    vb: np.ndarray,
    aa: np.ndarray,
    ab: np.ndarray,
) -> np.ndarray:
    way = b - a
    c3 = 10 * way - 6 * va - 4 * vb - 1.5 * aa + 0.5 * ab
    c4 = -15 * way + 8 * va + 7 * vb + 1.5 * aa - ab
    c5 = 6 * way - 3 * va - 3 * vb - 0.5 * aa + 0.5 * ab
    return a + s * (va + s * (0.5 * aa + s * (c3 + s * (c4 + s * c5))))


def _listed(joints: tuple[str, ...]) -> str:
    return ', '.join(joints) or 'none'
