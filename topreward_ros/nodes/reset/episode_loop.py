# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What an active reset node does: an episode, its end, a reset, and the next episode."""

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

from ..common.diagnostics import ERROR, OK, WARN
from ..common.monotonic_clock import ForwardClock
from ..common.qos import QOS_RESULT, QOS_TASK
from ..common.rclpy_versions import steady_clock
from .episode_log import EpisodeLog, EpisodeRecord
from .reset import Reset, ResetError
from .settings import ResetSettings
from .task_list import TaskList

PERIOD = 0.05  # [s]
RETRY = 1.0  # between two attempts to start an episode [s]
ANSWER_TIME = 5.0  # an answer to that may be lost: then ask again [s]
PATIENCE = 5.0  # before a reward node that says nothing is complained of [s]
ON_ITS_WAY = 2.0  # how long a message may be [s]


class Phase(enum.Enum):
    STARTING = 'starting an episode'
    RUNNING = 'an episode is running'
    OVER = 'the episode is over'
    RESETTING = 'resetting'
    SETTLING = 'settling'
    STUCK = 'the reset failed'


class EpisodeLoop:
    """Lives from activation to deactivation, on the executor's thread.

    Episodes are timed by a ForwardClock, so that they follow simulated time; what is asked of
    other nodes by the steady clock.
    """

    def __init__(
        self,
        node: Node,
        settings: ResetSettings,
        reset: Reset,
        log: EpisodeLog | None,
        tell_running: Callable[[bool], None],
    ) -> None:
        self._node = node
        self._settings = settings
        self._reset = reset
        self._log = log
        self._tell_running = tell_running
        self._tasks = TaskList(settings.task_list, settings.task_order, settings.task_seed)
        self._task = ''  # of the list; empty where there is none
        self._told_task = ''  # by the reward node
        self._episode: int | None = None  # of the reward node, once it has told
        self._finished: int | None = None
        self._progress = math.nan
        self._still: tuple[float, float] | None = None  # a progress, and since when it stands there
        self._outcome = ''
        self._length = 0.0
        self._answer: Any = None
        self._asked = -math.inf  # monotonic
        self._waiting: list[Callable[[bool, str], None]] = []
        self._problem = ''
        self._clock = ForwardClock(node)
        self._heard = 0.0
        self._phase = Phase.STARTING
        self._since = self._clock.now()
        self._entered = time.monotonic()
        self._handover = 0.0  # from the end of an episode until its reset begins [s]
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
        self._timer = node.create_timer(PERIOD, self._tick, clock=steady_clock())
        self._take_next_task()
        self._enter(Phase.STARTING)

    def close(self) -> None:
        """Stop what moves, and write down the episode that is cut off."""
        self._timer.cancel()
        self._node.destroy_timer(self._timer)
        self._reset.stop()
        seconds = self._clock.now() - self._since
        if self._phase is Phase.RUNNING:
            self._outcome, self._length = 'cut off', seconds
        if self._phase is Phase.RESETTING:
            self._write('cut off', seconds)
        else:
            self._write('not done', 0.0)
        self._tell_running(False)
        self._tell_waiting(False, 'the node was deactivated')
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._node.destroy_client(self._client)
        self._node.destroy_publisher(self._publisher)

    def request_reset(self, tell: Callable[[bool, str], None]) -> None:
        """Reset now; tell whether that went well, and the reason, when it is over."""
        if self._phase in (Phase.OVER, Phase.RESETTING, Phase.SETTLING):
            tell(False, 'a reset is under way already')
            return
        self._waiting.append(tell)
        self._end('asked for' if self._phase is Phase.RUNNING else '')

    def health(self) -> tuple[bytes, str]:
        if self._phase is Phase.STUCK:
            return ERROR, self._problem
        if self._problem:
            return WARN, self._problem
        if problem := self._clock.problem(PATIENCE):
            return WARN, problem
        silence = self._clock.now() - self._heard
        if self._phase is Phase.RUNNING and silence > PATIENCE:
            return WARN, f'the reward node has told no progress for {silence:.0f} s'
        return OK, self._phase.value

    def facts(self) -> dict[str, object]:
        return {
            'task': self._task or self._told_task,
            'episodes': self._log.count if self._log else 'not logged',
            'successes': self._log.successes if self._log else 'not logged',
            'progress': f'{self._progress:.3f}',
            'seconds in this phase': f'{self._clock.now() - self._since:.1f}',
        }

    # The loop

    def _tick(self) -> None:
        now = self._clock.now()
        {
            Phase.STARTING: self._start,
            Phase.RUNNING: self._watch,
            Phase.OVER: self._hand_over,
            Phase.RESETTING: self._see_to_reset,
            Phase.SETTLING: self._settle,
            Phase.STUCK: lambda _now: None,
        }[self._phase](now)

    def _start(self, _now: float) -> None:
        if self._answer is not None and self._answer.done():
            answer, self._answer = self._answer.result(), None
            if answer.success:
                self._enter(Phase.RUNNING)
                self._node.get_logger().info(f'{answer.message} runs: {self._task or "same task"}')
                return
            self._warn(f'the reward node starts no episode: {answer.message}')
        waited = time.monotonic() - self._asked
        if waited > ANSWER_TIME:
            self._forget_answer()
        if self._answer is None and waited > RETRY:
            self._asked = time.monotonic()
            if self._client.service_is_ready():
                self._answer = self._client.call_async(Trigger.Request())
            else:
                self._warn(f'service {self._service} is not available: is the reward node running?')

    def _watch(self, now: float) -> None:
        if self._settings.episode_time and now - self._since >= self._settings.episode_time:
            self._end('time is up')
        elif self._still and now - self._still[1] >= self._settings.stall_time:
            self._end('stalled')

    def _see_to_reset(self, now: float) -> None:
        try:
            done = self._reset.is_done()
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
        """End the episode, if there is one, and let whoever acts let go before the reset."""
        now = self._clock.now()
        self._forget_answer()  # an episode that is about to start is not the one after the reset
        self._asked = -math.inf
        self._outcome, self._length = outcome, now - self._since
        if outcome:
            self._finished = self._episode if self._episode is not None else self._finished
            self._node.get_logger().info(
                f'{outcome} after {self._length:.1f} s, progress {self._progress:.2f}: resetting'
            )
        self._handover = self._settings.handover_time if outcome else 0.0
        self._enter(Phase.OVER)
        self._hand_over(now)

    def _hand_over(self, _now: float) -> None:
        if time.monotonic() - self._entered < self._handover:
            return
        self._enter(Phase.RESETTING)
        try:
            self._reset.begin()
        except ResetError as error:
            self._fail(str(error), self._since)

    def _fail(self, reason: str, now: float) -> None:
        self._node.get_logger().error(
            f'the reset failed: {reason}. Nothing goes on until ~/reset is called'
        )
        self._write(reason, now - self._since)
        self._enter(Phase.STUCK)
        self._problem = reason
        self._tell_waiting(False, reason)

    def _enter(self, phase: Phase) -> None:
        self._phase = phase
        self._since, self._entered = self._clock.now(), time.monotonic()
        self._tell_running(phase is Phase.RUNNING)
        if phase is Phase.RUNNING:
            self._episode, self._progress, self._still = None, math.nan, None
            self._heard = self._since
        if phase is not Phase.STARTING:
            self._problem = ''

    def _take_next_task(self) -> None:
        if self._settings.task_list:
            self._task = self._tasks.next()
            self._publisher.publish(String(data=self._task))

    # What is heard

    def _on_progress(self, message: Progress) -> None:
        if not self._is_of_this_episode(message):
            return
        now = self._clock.now()
        self._episode, self._progress = message.episode, message.progress
        self._told_task, self._heard = message.task, now
        if math.isnan(message.progress) or not self._settings.stall_time:
            return
        moved = self._still and abs(message.progress - self._still[0])
        if moved is None or moved > self._settings.stall_change:
            self._still = message.progress, now

    def _on_success(self, message: SuccessDetected) -> None:
        if self._is_of_this_episode(message):
            self._episode, self._told_task = message.episode, message.task
            self._end('success')

    def _is_of_this_episode(self, message: Progress | SuccessDetected) -> bool:
        """Not one that was on its way when the episode before ended.

        Numbers come again when the reward node is started anew, so that tells only for a while.
        """
        if self._phase is not Phase.RUNNING:
            return False
        if message.episode == self._finished and time.monotonic() - self._entered < ON_ITS_WAY:
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
            task=self._task or self._told_task,
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
            self._node.get_logger().error(f'the episode is not in the log: {error}')

    def _warn(self, what: str) -> None:
        if time.monotonic() - self._entered > PATIENCE:
            self._problem = what
            self._node.get_logger().warning(what, throttle_duration_sec=10.0)

    def _forget_answer(self) -> None:
        if self._answer is not None:
            self._client.remove_pending_request(self._answer)
            self._answer = None
