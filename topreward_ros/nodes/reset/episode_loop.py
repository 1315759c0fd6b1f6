# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The loop of an active reset node: an episode, its end, a reset, and the next episode."""

from __future__ import annotations

import enum
import math
import time
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from rclpy.node import Node
from std_msgs.msg import String
from std_srvs.srv import Trigger

from topreward_ros.msg import Progress, SuccessDetected

from ..common.diagnostics import LEVEL_ERROR, LEVEL_OK, LEVEL_WARN
from ..common.monotonic_clock import MonotonicClock
from ..common.qos import QOS_RESULT, QOS_TASK
from ..common.rclpy_versions import steady_clock
from .episode_log import EpisodeLog, EpisodeRecord
from .reset import Reset, ResetError
from .settings import ResetSettings
from .task_list import TaskList

TICK_PERIOD = 0.05  # [s]
RETRY_PERIOD = 1.0  # between two attempts to start an episode [s]
RESPONSE_TIMEOUT = 5.0  # a response may be lost: the call is then repeated [s]
WARNING_DELAY = 5.0  # before a silent reward node is reported [s]
LATE_MESSAGE_TIME = 2.0  # for which messages of the previous episode may still arrive [s]


class Phase(enum.Enum):
    STARTING = 'starting an episode'
    RUNNING = 'an episode is running'
    OVER = 'the episode is over'
    RESETTING = 'resetting'
    SETTLING = 'settling'
    FAILED = 'the reset failed'


class EpisodeLoop:
    """Exists from activation to deactivation and runs on the executor's thread.

    Episodes are timed by a MonotonicClock, so that they follow simulated time; calls of other
    nodes are timed by the steady clock.
    """

    def __init__(
        self,
        node: Node,
        settings: ResetSettings,
        reset: Reset,
        log: EpisodeLog | None,
        publish_running: Callable[[bool], None],
    ) -> None:
        self._node = node
        self._settings = settings
        self._reset = reset
        self._log = log
        self._publish_running = publish_running
        self._tasks = TaskList(settings.task_list, settings.task_order, settings.task_seed)
        self._task = ''  # from the parameter tasks; empty if there is none
        self._reported_task = ''  # by the reward node
        self._episode: int | None = None  # number reported by the reward node
        self._finished: int | None = None  # number of the previous episode
        self._progress = math.nan
        self._stall: tuple[float, float] | None = None  # a progress, and since when it has stalled
        self._outcome = ''
        self._length = 0.0
        self._response: Any = None
        self._request_time = -math.inf  # steady clock [s]
        self._reset_callbacks: list[Callable[[bool, str], None]] = []
        self._problem = ''
        self._clock = MonotonicClock(node)
        self._progress_time = 0.0  # of the newest progress [s]
        self._phase = Phase.STARTING
        self._phase_start = self._clock.now()
        self._phase_start_steady = time.monotonic()
        self._handover = 0.0  # from the end of an episode to the start of its reset [s]
        name = settings.reward_node.rstrip('/')
        self._subscriptions = [
            node.create_subscription(Progress, f'{name}/progress', self._on_progress, QOS_RESULT),
            node.create_subscription(
                SuccessDetected, f'{name}/success_detected', self._on_success, QOS_RESULT
            ),
        ]
        self._client: Any = node.create_client(Trigger, f'{name}/start_episode')
        self._service = node.resolve_service_name(f'{name}/start_episode')
        self._publisher = node.create_publisher(String, f'{name}/task', QOS_TASK)
        self._timer = node.create_timer(TICK_PERIOD, self._tick, clock=steady_clock())
        self._publish_next_task()
        self._enter(Phase.STARTING)

    def close(self) -> None:
        """Stop the motion, and log the episode that is cut off."""
        self._timer.cancel()
        self._node.destroy_timer(self._timer)
        self._reset.stop()
        seconds = self._clock.now() - self._phase_start
        if self._phase is Phase.RUNNING:
            self._outcome, self._length = 'cut off', seconds
        if self._phase is Phase.RESETTING:
            self._write('cut off', seconds)
        else:
            self._write('not done', 0.0)
        self._publish_running(False)
        self._answer_reset_requests(False, 'the node was deactivated')
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._node.destroy_client(self._client)
        self._node.destroy_publisher(self._publisher)

    def request_reset(self, callback: Callable[[bool, str], None]) -> None:
        """Reset now; callback gets the success and a message when the reset is over."""
        if self._phase in (Phase.OVER, Phase.RESETTING, Phase.SETTLING):
            callback(False, 'a reset is already in progress')
            return
        self._reset_callbacks.append(callback)
        self._end('asked for' if self._phase is Phase.RUNNING else '')

    def health(self) -> tuple[bytes, str]:
        """Return the level and the message for /diagnostics."""
        if self._phase is Phase.FAILED:
            return LEVEL_ERROR, self._problem
        if self._problem:
            return LEVEL_WARN, self._problem
        if problem := self._clock.problem(WARNING_DELAY):
            return LEVEL_WARN, problem
        silence = self._clock.now() - self._progress_time
        if self._phase is Phase.RUNNING and silence > WARNING_DELAY:
            return LEVEL_WARN, f'the reward node has published no progress for {silence:.0f} s'
        return LEVEL_OK, self._phase.value

    def facts(self) -> dict[str, object]:
        """Return the values for /diagnostics."""
        return {
            'task': self._task or self._reported_task,
            'episodes': self._log.count if self._log else 'not logged',
            'successes': self._log.successes if self._log else 'not logged',
            'progress': f'{self._progress:.3f}',
            'seconds in this phase': f'{self._clock.now() - self._phase_start:.1f}',
        }

    # The loop

    def _tick(self) -> None:
        now = self._clock.now()
        {
            Phase.STARTING: self._start,
            Phase.RUNNING: self._check_limits,
            Phase.OVER: self._begin_reset,
            Phase.RESETTING: self._check_reset,
            Phase.SETTLING: self._settle,
            Phase.FAILED: lambda _now: None,
        }[self._phase](now)

    def _start(self, _now: float) -> None:
        if self._response is not None and self._response.done():
            response, self._response = self._response.result(), None
            if response.success:
                self._enter(Phase.RUNNING)
                task = self._task or 'same task'
                self._node.get_logger().info(f'{response.message} started: {task}')
                return
            self._warn(f'the reward node did not start an episode: {response.message}')
        waited = time.monotonic() - self._request_time
        if waited > RESPONSE_TIMEOUT:
            self._cancel_request()
        if self._response is None and waited > RETRY_PERIOD:
            self._request_time = time.monotonic()
            if self._client.service_is_ready():
                self._response = self._client.call_async(Trigger.Request())
            else:
                self._warn(f'service {self._service} is not available: is the reward node running?')

    def _check_limits(self, now: float) -> None:
        if self._settings.episode_time and now - self._phase_start >= self._settings.episode_time:
            self._end('time is up')
        elif self._stall and now - self._stall[1] >= self._settings.stall_time:
            self._end('stalled')

    def _check_reset(self, now: float) -> None:
        try:
            done = self._reset.is_done()
        except ResetError as error:
            self._fail(str(error), now)
            return
        if done:
            seconds = now - self._phase_start
            self._node.get_logger().info(f'the reset took {seconds:.1f} s')
            self._write('done', seconds)
            self._enter(Phase.SETTLING)

    def _settle(self, now: float) -> None:
        if now - self._phase_start >= self._settings.settle_time:
            self._publish_next_task()
            self._enter(Phase.STARTING)
            self._answer_reset_requests(True, 'the reset is complete; the next episode starts')

    def _end(self, outcome: str) -> None:
        """End the running episode, if any; its reset starts after the handover time."""
        now = self._clock.now()
        self._cancel_request()  # it would start an episode before the reset
        self._request_time = -math.inf
        self._outcome, self._length = outcome, now - self._phase_start
        if outcome:
            self._finished = self._episode if self._episode is not None else self._finished
            self._node.get_logger().info(
                f'the episode ended after {self._length:.1f} s ({outcome}, progress '
                f'{self._progress:.2f}); resetting'
            )
        self._handover = self._settings.handover_time if outcome else 0.0
        self._enter(Phase.OVER)
        self._begin_reset(now)

    def _begin_reset(self, _now: float) -> None:
        """Begin the reset once the handover time is over."""
        if time.monotonic() - self._phase_start_steady < self._handover:
            return
        self._enter(Phase.RESETTING)
        try:
            self._reset.begin()
        except ResetError as error:
            self._fail(str(error), self._phase_start)

    def _fail(self, reason: str, now: float) -> None:
        self._node.get_logger().error(
            f'the reset failed: {reason}. No episode starts until ~/reset is called'
        )
        self._write(reason, now - self._phase_start)
        self._enter(Phase.FAILED)
        self._problem = reason
        self._answer_reset_requests(False, reason)

    def _enter(self, phase: Phase) -> None:
        self._phase = phase
        self._phase_start, self._phase_start_steady = self._clock.now(), time.monotonic()
        self._publish_running(phase is Phase.RUNNING)
        if phase is Phase.RUNNING:
            self._episode, self._progress, self._stall = None, math.nan, None
            self._progress_time = self._phase_start
        if phase is not Phase.STARTING:
            self._problem = ''

    def _publish_next_task(self) -> None:
        if self._settings.task_list:
            self._task = self._tasks.next()
            self._publisher.publish(String(data=self._task))

    # Messages of the reward node

    def _on_progress(self, message: Progress) -> None:
        if not self._is_of_this_episode(message):
            return
        now = self._clock.now()
        self._episode, self._progress = message.episode, message.progress
        self._reported_task, self._progress_time = message.task, now
        if math.isnan(message.progress) or not self._settings.stall_time:
            return
        change = self._stall and abs(message.progress - self._stall[0])
        if change is None or change > self._settings.stall_change:
            self._stall = message.progress, now

    def _on_success(self, message: SuccessDetected) -> None:
        if self._is_of_this_episode(message):
            self._episode, self._reported_task = message.episode, message.task
            self._end('success')

    def _is_of_this_episode(self, message: Progress | SuccessDetected) -> bool:
        """Return whether a message belongs to the running episode and not to the previous one.

        A restarted reward node repeats episode numbers, so the previous number is ignored only for
        a short time.
        """
        if self._phase is not Phase.RUNNING:
            return False
        running_for = time.monotonic() - self._phase_start_steady
        if message.episode == self._finished and running_for < LATE_MESSAGE_TIME:
            return False
        return not self._task or message.task.strip() == self._task.strip()

    # Results

    def _answer_reset_requests(self, success: bool, message: str) -> None:
        callbacks, self._reset_callbacks = self._reset_callbacks, []
        for callback in callbacks:
            callback(success, message)

    def _write(self, reset: str, seconds: float) -> None:
        """Log the episode that has ended, if any, with the result and duration [s] of its reset."""
        if self._log is None or not self._outcome:
            return
        record = EpisodeRecord(
            ended=datetime.now(timezone.utc).isoformat(timespec='milliseconds'),
            task=self._task or self._reported_task,
            outcome=self._outcome,
            seconds=self._length,
            progress=self._progress,
            reset=reset,
            reset_seconds=seconds,
        )
        self._outcome = ''
        try:
            self._log.write(record)
        except (OSError, ValueError) as error:
            self._node.get_logger().error(f'the episode could not be logged: {error}')

    def _warn(self, problem: str) -> None:
        if time.monotonic() - self._phase_start_steady > WARNING_DELAY:
            self._problem = problem
            self._node.get_logger().warning(problem, throttle_duration_sec=10.0)

    def _cancel_request(self) -> None:
        if self._response is not None:
            self._client.remove_pending_request(self._response)
            self._response = None
