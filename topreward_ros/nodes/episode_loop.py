# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What an active reset node does: an episode, its end, a reset, and the next episode."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from rclpy.node import Node
from std_msgs.msg import Bool, String
from std_srvs.srv import Trigger

from topreward_ros.msg import Progress, SuccessDetected

from .diagnostics import ERROR, OK, WARN
from .episode_log import EpisodeLog, EpisodeRecord
from .qos import RESULT, TASK
from .reset_settings import ResetSettings
from .resets import Reset, ResetError
from .task_list import TaskList

PERIOD = 0.05  # [s]
RETRY = 1.0  # between two attempts to start an episode [s]
ANSWER_TIME = 5.0  # an answer to that may be lost: then ask again [s]
PATIENCE = 5.0  # before a reward node that is not there is complained of [s]


class Phase(enum.Enum):
    STARTING = 'starting an episode'
    RUNNING = 'an episode is running'
    RESETTING = 'resetting'
    SETTLING = 'settling'
    STUCK = 'the reset failed'


class EpisodeLoop:
    """Lives from activation to deactivation, on the executor's thread.

    Times are the node's clock, so that they follow simulated time.
    """

    def __init__(
        self, node: Node, settings: ResetSettings, reset: Reset, log: EpisodeLog | None
    ) -> None:
        self._node = node
        self._settings = settings
        self._reset = reset
        self._log = log
        self._tasks = TaskList(settings.task_list, settings.task_order, settings.task_seed)
        self._task = ''
        self._episode: int | None = None  # of the reward node, once it has told
        self._finished: int | None = None
        self._progress = math.nan
        self._still: tuple[float, float] | None = None  # a progress, and since when it stands there
        self._outcome = ''
        self._length = 0.0
        self._answer: Any = None
        self._asked = -math.inf
        self._waiting: list[Callable[[bool, str], None]] = []
        self._complaint = ''
        self._phase = Phase.STARTING
        self._since = self._now()
        name = settings.reward_node.rstrip('/')
        self._subscriptions = [
            node.create_subscription(Progress, f'{name}/progress', self._on_progress, RESULT),
            node.create_subscription(
                SuccessDetected, f'{name}/success_detected', self._on_success, RESULT
            ),
        ]
        self._client: Any = node.create_client(Trigger, f'{name}/start_episode')
        self._service = node.resolve_service_name(f'{name}/start_episode')
        self._publisher = node.create_publisher(String, f'{name}/task', TASK)
        self._running = node.create_publisher(Bool, '~/running', TASK)
        self._timer = node.create_timer(PERIOD, self._tick)
        self._take_next_task()
        self._enter(Phase.STARTING)

    def close(self) -> None:
        """Stop what moves, and write down the episode that is cut off."""
        self._timer.cancel()
        self._node.destroy_timer(self._timer)
        self._reset.close()
        if self._phase is Phase.RUNNING:
            self._outcome, self._length = 'cut off', self._now() - self._since
            self._write('not done', 0.0)
        elif self._phase is Phase.RESETTING:
            self._write('cut off', self._now() - self._since)
        self._running.publish(Bool(data=False))
        self._tell_waiting(False, 'the node was deactivated')
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._node.destroy_client(self._client)
        self._node.destroy_publisher(self._publisher)
        self._node.destroy_publisher(self._running)

    def request_reset(self, tell: Callable[[bool, str], None]) -> None:
        """Reset now; tell whether that went well, and the reason, when it is over."""
        if self._phase in (Phase.RESETTING, Phase.SETTLING):
            tell(False, 'a reset is under way already')
            return
        self._waiting.append(tell)
        self._end('asked for' if self._phase is Phase.RUNNING else '')

    def health(self) -> tuple[bytes, str]:
        if self._phase is Phase.STUCK:
            return ERROR, self._complaint
        if self._complaint:
            return WARN, self._complaint
        return OK, self._phase.value

    def facts(self) -> dict[str, object]:
        return {
            'task': self._task or "the reward node's own",
            'episodes': self._log.count if self._log else 'not logged',
            'successes': self._log.successes if self._log else 'not logged',
            'progress': f'{self._progress:.3f}',
            'seconds in this phase': f'{self._now() - self._since:.1f}',
        }

    # The loop

    def _tick(self) -> None:
        now = self._now()
        self._since = min(self._since, now)  # simulated time may begin again
        {
            Phase.STARTING: self._start,
            Phase.RUNNING: self._watch,
            Phase.RESETTING: self._see_to_reset,
            Phase.SETTLING: self._settle,
            Phase.STUCK: lambda _now: None,
        }[self._phase](now)

    def _start(self, now: float) -> None:
        if self._answer is not None and self._answer.done():
            answer, self._answer = self._answer.result(), None
            if answer.success:
                self._complaint = ''
                self._enter(Phase.RUNNING)
                self._node.get_logger().info(f'{answer.message} runs: {self._task or "same task"}')
                return
            self._complain(f'the reward node starts no episode: {answer.message}', now)
        elif self._answer is not None and now - self._asked > ANSWER_TIME:
            self._client.remove_pending_request(self._answer)
            self._answer = None
        if self._answer is None and abs(now - self._asked) > RETRY:
            if self._client.service_is_ready():
                self._asked = now
                self._answer = self._client.call_async(Trigger.Request())
            else:
                self._complain(f'nobody offers {self._service}: is the reward node up?', now)

    def _watch(self, now: float) -> None:
        if self._settings.episode_time and now - self._since >= self._settings.episode_time:
            self._end('time is up')

    def _see_to_reset(self, now: float) -> None:
        try:
            done = self._reset.is_done(now)
        except ResetError as error:
            self._fail(str(error), now)
            return
        if done:
            seconds = now - self._since
            self._node.get_logger().info(f'reset in {seconds:.1f} s')
            self._write('done', seconds)
            self._enter(Phase.SETTLING)

    def _settle(self, now: float) -> None:
        if now - self._since >= self._settings.settle_time:
            self._take_next_task()
            self._enter(Phase.STARTING)
            self._tell_waiting(True, 'reset; the next episode begins')

    def _end(self, outcome: str) -> None:
        """End the episode, if there is one, and begin to reset."""
        now = self._now()
        self._outcome, self._length = outcome, now - self._since
        if outcome:
            self._finished = self._episode if self._episode is not None else self._finished
            self._node.get_logger().info(
                f'{outcome} after {self._length:.1f} s, progress {self._progress:.2f}: resetting'
            )
        self._enter(Phase.RESETTING)
        try:
            self._reset.begin(now)
        except ResetError as error:
            self._fail(str(error), now)

    def _fail(self, reason: str, now: float) -> None:
        self._node.get_logger().error(
            f'the reset failed: {reason}. Nothing goes on until ~/reset is called'
        )
        self._write(reason, now - self._since)
        self._enter(Phase.STUCK)
        self._complaint = reason
        self._tell_waiting(False, reason)

    def _enter(self, phase: Phase) -> None:
        self._phase = phase
        self._since = self._now()
        self._running.publish(Bool(data=phase is Phase.RUNNING))
        if phase is Phase.RUNNING:
            self._episode, self._progress, self._still = None, math.nan, None
        if phase is not Phase.STARTING:
            self._complaint = ''

    def _take_next_task(self) -> None:
        if self._settings.task_list:
            self._task = self._tasks.next()
            self._publisher.publish(String(data=self._task))

    # What is heard

    def _on_progress(self, message: Progress) -> None:
        if not self._is_of_this_episode(message):
            return
        now = self._now()
        self._episode, self._progress = message.episode, message.progress
        if math.isnan(message.progress) or not self._settings.stall_time:
            return
        if (
            self._still is None
            or abs(message.progress - self._still[0]) > self._settings.stall_change
        ):
            self._still = message.progress, now
        elif now - self._still[1] >= self._settings.stall_time:
            self._end('stalled')

    def _on_success(self, message: SuccessDetected) -> None:
        if self._is_of_this_episode(message):
            self._episode = message.episode
            self._end('success')

    def _is_of_this_episode(self, message: Progress | SuccessDetected) -> bool:
        """Not one that was on its way when the episode ended."""
        if self._phase is not Phase.RUNNING or message.episode == self._finished:
            return False
        return not self._task or message.task.strip() == self._task.strip()

    # What is told

    def _tell_waiting(self, success: bool, message: str) -> None:
        waiting, self._waiting = self._waiting, []
        for tell in waiting:
            tell(success, message)

    def _write(self, reset: str, seconds: float) -> None:
        if self._log is None or not self._outcome:
            return
        record = EpisodeRecord(
            ended=datetime.now(timezone.utc).isoformat(timespec='milliseconds'),
            task=self._task,
            outcome=self._outcome,
            seconds=self._length,
            progress=self._progress,
            reset=reset,
            reset_seconds=seconds,
        )
        self._outcome = ''
        try:
            self._log.write(record)
        except OSError as error:
            self._node.get_logger().error(f'the episode is not in the log: {error}')

    def _complain(self, what: str, now: float) -> None:
        self._asked = now
        if now - self._since > PATIENCE:
            self._complaint = what
            self._node.get_logger().warning(what, throttle_duration_sec=10.0)

    def _now(self) -> float:
        return float(self._node.get_clock().now().nanoseconds / 1e9)
