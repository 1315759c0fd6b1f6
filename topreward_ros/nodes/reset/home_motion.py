# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A reset that moves the arm to its home pose and checks its arrival in the joint states."""

from __future__ import annotations

import math
from collections.abc import Sequence

from builtin_interfaces.msg import Duration as DurationMessage
from rclpy.node import Node
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from ..common.monotonic_clock import MonotonicClock
from .controller import Controller
from .joint_readings import JointReading, JointReadings
from .reset import ResetError
from .settings import ResetSettings

SHORTEST_MOTION = 0.5  # [s]
LONGEST_MOTION = 600.0  # [s]
STOP_TIME = 0.3  # for the joints to come to rest when a motion is stopped [s]
REST_TIME = 0.2  # within the tolerance before the arm counts as arrived, not as passing by [s]
LIMIT_MARGIN = 0.2  # by which a measured position may exceed its limits [rad or m]


class HomeMotion:
    """Sends one trajectory to a controller and follows the motion in the joint states.

    Timed by a MonotonicClock, as controllers follow simulated time, however slow it is.
    """

    phase = 'moving home'

    def __init__(self, node: Node, settings: ResetSettings) -> None:
        self._node = node
        self._settings = settings
        self._moving = False
        self._must_stop = ''  # why the motion goes on, until the joints are known
        self._arrived = False
        self._clock = MonotonicClock(node)
        self._end_time = 0.0  # end of the trajectory that was sent [s]
        self._near_since: float | None = None
        self._joints = JointReadings(node, settings, self._clock, self._on_reading)
        try:
            self._controller = Controller(node, settings)
        except BaseException:  # a name that is not valid: leave nothing open
            self._joints.close()
            raise

    @property
    def distance(self) -> float:
        distances = self._joints.distances()
        return math.nan if any(map(math.isnan, distances)) else max(distances)

    def begin(self, _task: str) -> None:
        # Without time, joint states would never become stale and the motion would never end.
        if problem := self._clock.problem(self._settings.joint_state_timeout):
            raise ResetError(f'{problem}: start the simulator, or set use_sim_time to false')
        self._check_limits([reading.position for reading in self._joints.current()])
        self._controller.check()
        seconds = max(SHORTEST_MOTION, max(self._joints.distances()) / self._settings.speed)
        if seconds > LONGEST_MOTION:
            raise ResetError(
                f'the motion home would take {seconds:.0f} s at a speed of {self._settings.speed}; '
                f'expected at most {LONGEST_MOTION:.0f} s'
            )
        self._end_time = self._clock.now() + seconds
        self._near_since = None
        self._moving, self._must_stop, self._arrived = True, '', False
        self._controller.send(self._trajectory(self._settings.home, seconds))

    def is_done(self) -> bool:
        if self._arrived:
            self._moving = False
            return True
        try:
            readings = self._joints.current()
            if problem := self._controller.problem():
                raise ResetError(problem)
        except ResetError as error:
            if goes_on := self.stop():
                raise ResetError(f'{error}; {goes_on}') from error
            raise
        if self._clock.now() > self._end_time + self._settings.reset_time_limit:
            self.stop()
            distances = self._joints.distances()
            worst = distances.index(max(distances))
            raise ResetError(
                f'{self._settings.joints[worst]} is at {readings[worst].position:.3f} and did not '
                f'come to rest within {self._settings.tolerance} of '
                f'{self._settings.home[worst]:.3f} in time'
            )
        return False

    def stop(self) -> str:
        """Bring the joints to rest near their current positions.

        Controllers do not accept an empty trajectory, so one is sent to where the joints come to
        rest from their current velocities. If these are unknown, it could move the arm backwards:
        it is then sent as soon as they are known again, unless the controller's action can be
        cancelled.
        """
        if not self._moving:
            return self._must_stop
        self._moving = False
        trajectory, problem = None, ''
        try:
            trajectory = self._way_to_rest(self._joints.current())
        except ResetError as error:
            problem = str(error)
        if self._controller.stop(trajectory):
            return ''
        self._must_stop = f'the motion is not stopped until the joints are known: {problem}'
        self._node.get_logger().error(self._must_stop)
        return self._must_stop

    def close(self) -> None:
        if self.stop():
            self._node.get_logger().error('the motion was not stopped and runs to its end')
        self._joints.close()
        self._controller.close()

    def _way_to_rest(self, readings: list[JointReading]) -> JointTrajectory:
        settings = self._settings
        rows = zip(readings, settings.lower_limits, settings.upper_limits, strict=True)
        return self._trajectory([self._stop_position(*row) for row in rows], STOP_TIME)

    def _stop_position(self, reading: JointReading, low: float, high: float) -> float:
        """Return where a joint comes to rest, with its velocity limited to a plausible one."""
        fastest = 2 * self._settings.speed  # in the middle of a smooth motion
        velocity = min(max(reading.velocity, -fastest), fastest)
        age = self._clock.now() - reading.received
        goal = reading.position + velocity * (age + STOP_TIME / 2)
        return min(max(goal, min(low, reading.position)), max(high, reading.position))

    def _check_limits(self, positions: list[float]) -> None:
        settings = self._settings
        rows = zip(
            settings.joints, positions, settings.lower_limits, settings.upper_limits, strict=True
        )
        for joint, position, low, high in rows:
            if not low - LIMIT_MARGIN <= position <= high + LIMIT_MARGIN:
                raise ResetError(
                    f'{joint} is reported at {position:.6g}, outside its limits {low} to {high}; '
                    'expected radians or metres within them'
                )

    def _trajectory(self, positions: Sequence[float], seconds: float) -> JointTrajectory:
        nanoseconds = round(seconds * 1e9)
        count = len(self._settings.joints)
        point = JointTrajectoryPoint(
            positions=[float(position) for position in positions],
            # At rest at the end; with these the controller also interpolates smoothly.
            velocities=[0.0] * count,
            accelerations=[0.0] * count,
            time_from_start=DurationMessage(sec=nanoseconds // 10**9, nanosec=nanoseconds % 10**9),
        )
        # A stamp of zero: start now
        return JointTrajectory(joint_names=list(self._settings.joints), points=[point])

    def _on_reading(self) -> None:
        if self._must_stop:
            self._stop_late()
        elif self._moving and not self._arrived:
            self._check_arrival(self._clock.now())

    def _stop_late(self) -> None:
        if self._clock.now() > self._end_time:  # it has run to its end
            self._must_stop = ''
            return
        try:
            trajectory = self._way_to_rest(self._joints.current())
        except ResetError:
            return
        self._must_stop = ''
        self._controller.stop(trajectory)
        self._node.get_logger().info('the motion is stopped')

    def _check_arrival(self, now: float) -> None:
        """Note the arrival when all joints stay at home for REST_TIME after the trajectory."""
        if max(self._joints.distances()) > self._settings.tolerance or now < self._end_time:
            self._near_since = None
        elif self._near_since is None:
            self._near_since = now
        else:
            self._arrived = self._joints.oldest - self._near_since >= REST_TIME
