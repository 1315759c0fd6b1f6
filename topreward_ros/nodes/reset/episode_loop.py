# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The loop of an active reset node: an episode, its end, a reset, and the next episode."""

from __future__ import annotations

import enum
import math
import time
from collections.abc import Callable

from rclpy.node import Node
from std_msgs.msg import String

from topreward_ros.msg import Progress, SuccessDetected

from ..common.diagnostics import LEVEL_ERROR, LEVEL_OK, LEVEL_WARN
from ..common.monotonic_clock import MonotonicClock
from ..common.qos import QOS_TASK
from ..common.rclpy_versions import steady_clock
from .episode_log import EpisodeLog
from .episode_messages import EpisodeMessages
from .episode_outcomes import EpisodeOutcomes
from .episode_start import EpisodeStart
from .reset import Reset, ResetError
from .running_episode import RunningEpisode
from .settings import ResetSettings
from .task_list import TaskList

TICK_PERIOD = 0.05  # [s]
WARNING_DELAY = 5.0  # before a silent reward node is reported [s]


class Phase(enum.Enum):
    STARTING = 'starting an episode'
    RUNNING = 'an episode is running'
    OVER = 'the episode is over'
    RESETTING = 'resetting'
    SETTLING = 'settling'
    HALTED = 'halted'


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
        *,
        halted: str = '',
    ) -> None:
        """Start with an episode or, with a reason to be halted, wait for a reset."""
        self._node = node
        self._settings = settings
        self._reset = reset
        self._outcomes = EpisodeOutcomes(node, log, settings.suspicious_resets)
        self._publish_running = publish_running
        self._tasks = TaskList(settings.task_list, settings.task_order, settings.task_seed)
        self._task = ''  # from the parameter tasks; empty if there is none
        self._reset_callbacks: list[Callable[[bool, str], None]] = []
        self._problem = ''
        self._clock = MonotonicClock(node)
        self._episode = RunningEpisode(settings, self._clock.now())
        self._handover = 0.0  # from the end of an episode to the start of its reset [s]
        self._start = EpisodeStart(node, settings.reward_node)
        self._messages = EpisodeMessages(
            node, settings.reward_node, self._on_progress, self._on_success
        )
        name = settings.reward_node.rstrip('/')
        self._publisher = node.create_publisher(String, f'{name}/task', QOS_TASK)
        self._timer = node.create_timer(TICK_PERIOD, self._tick, clock=steady_clock())
        self._publish_next_task()
        self._enter(Phase.HALTED if halted else Phase.STARTING)
        self._problem = halted

    def close(self) -> None:
        """Stop the motion, and log the episode that is cut off."""
        self._timer.cancel()
        self._node.destroy_timer(self._timer)
        self._reset.stop()
        self._cut_off('cut off')
        self._publish_running(False)
        self._answer_reset_requests(False, 'the node was deactivated')
        self._start.close()
        self._messages.close()
        self._node.destroy_publisher(self._publisher)

    def request_reset(self, callback: Callable[[bool, str], None]) -> None:
        """Reset now; callback gets the success and a message when the reset is over."""
        if self._phase in (Phase.OVER, Phase.RESETTING, Phase.SETTLING):
            callback(False, 'a reset is already in progress')
            return
        self._reset_callbacks.append(callback)
        self._outcomes.suspicious = 0
        self._end('asked for' if self._phase is Phase.RUNNING else '')

    def halt(self, reason: str) -> str:
        """Stop the motion and the episode; only a reset goes on.

        Return why a motion is not stopped; empty if it is, or if there is none.
        """
        problem = self._reset.stop()
        if self._phase is not Phase.HALTED or self._problem != reason:  # it may come repeatedly
            self._cut_off('stopped')
            self._halt(reason)
        return problem

    @property
    def phase(self) -> str:
        """What the node does."""
        return self._reset.phase if self._phase is Phase.RESETTING else self._phase.value

    @property
    def distance(self) -> float:
        """The distance from home during a reset; see `Reset.distance`."""
        return self._reset.distance if self._phase is Phase.RESETTING else math.nan

    def health(self) -> tuple[bytes, str]:
        """Return the level and the message for /diagnostics."""
        if self._phase is Phase.HALTED:
            return LEVEL_ERROR, self._problem
        if self._problem:
            return LEVEL_WARN, self._problem
        if problem := self._clock.problem(WARNING_DELAY):
            return LEVEL_WARN, problem
        silence = self._clock.now() - self._episode.time
        if self._phase is Phase.RUNNING and silence > WARNING_DELAY:
            return LEVEL_WARN, f'the reward node has published no progress for {silence:.0f} s'
        return LEVEL_OK, self.phase

    def facts(self) -> dict[str, object]:
        """Return the values for /diagnostics."""
        return {
            'task': self._task or self._episode.task,
            **self._outcomes.facts(),
            'progress': f'{self._episode.progress:.3f}',
            'seconds in this phase': f'{self._clock.now() - self._phase_start:.1f}',
        }

    # The loop

    def _tick(self) -> None:
        now = self._clock.now()
        {
            Phase.STARTING: self._start_episode,
            Phase.RUNNING: self._check_episode,
            Phase.OVER: self._begin_reset,
            Phase.RESETTING: self._check_reset,
            Phase.SETTLING: self._settle,
            Phase.HALTED: lambda _now: None,
        }[self._phase](now)

    def _start_episode(self, _now: float) -> None:
        number = self._start.poll()
        if number is not None:
            self._messages.follow(number, self._task)
            self._enter(Phase.RUNNING)
            self._episode = RunningEpisode(self._settings, self._phase_start)
            self._node.get_logger().info(f'episode {number} started: {self._task or "same task"}')
        elif self._start.problem and self._steady_seconds() > WARNING_DELAY:
            self._problem = self._start.problem
            self._node.get_logger().warning(self._problem, throttle_duration_sec=10.0)

    def _check_episode(self, now: float) -> None:
        if outcome := self._episode.end(now):
            self._end(outcome)
        elif (other := self._messages.replaced_by()) is not None:
            number = self._start.poll()  # the scores of another episode do not count
            if number is not None:
                self._messages.follow(number, self._task)
                self._node.get_logger().warning(
                    f'the reward node had begun episode {other}, which was not asked for; it now '
                    f'judges this one as episode {number}'
                )

    def _check_reset(self, now: float) -> None:
        try:
            done = self._reset.is_done()
        except ResetError as error:
            self._fail(str(error), now - self._phase_start)
            return
        if done:
            seconds = now - self._phase_start
            self._node.get_logger().info(f'the reset took {seconds:.1f} s')
            self._outcomes.write('done', seconds)
            self._enter(Phase.SETTLING)

    def _settle(self, now: float) -> None:
        if now - self._phase_start >= self._settings.settle_time:
            self._enter(Phase.STARTING)
            self._answer_reset_requests(True, 'the reset is complete; the next episode starts')

    def _end(self, outcome: str) -> None:
        """End the running episode, if any; its reset starts after the handover time."""
        self._start.cancel()  # it would start an episode before the reset
        if outcome:
            self._end_episode(outcome)
        if problem := self._outcomes.problem():
            self._outcomes.write('not done', 0.0)
            self._halt(problem)
            return
        self._handover = self._settings.handover_time if outcome else 0.0
        self._enter(Phase.OVER)
        self._begin_reset(self._phase_start)

    def _end_episode(self, outcome: str) -> None:
        self._publish_running(False)  # first: a log on a slow disk must not keep a policy going
        self._messages.follow(None)
        seconds = self._clock.now() - self._phase_start
        self._outcomes.end(self._episode, outcome, self._task, seconds)

    def _begin_reset(self, _now: float) -> None:
        """Begin the reset once the handover time is over."""
        if self._steady_seconds() < self._handover:
            return
        self._enter(Phase.RESETTING)
        if self._task_was_used:  # published now, as a step of the reset may look at the scene
            self._publish_next_task()
        try:
            self._reset.begin(self._task)
        except ResetError as error:
            self._fail(str(error), 0.0)

    def _cut_off(self, outcome: str) -> None:
        """Log the running episode, or the one that is being reset after, as ended in this way."""
        self._start.cancel()
        seconds = self._clock.now() - self._phase_start
        if self._phase is Phase.RUNNING:
            self._end_episode(outcome)
        if self._phase is Phase.RESETTING:
            self._outcomes.write(outcome, seconds)
        else:
            self._outcomes.write('not done', 0.0)

    def _fail(self, reason: str, seconds: float) -> None:
        """Log why a reset failed and its duration [s], and wait for another one."""
        self._outcomes.write(reason, seconds)
        self._halt(reason, 'the reset failed: ')

    def _halt(self, reason: str, prefix: str = '') -> None:
        self._node.get_logger().error(
            f'{prefix}{reason}. No episode starts until ~/reset is called'
        )
        self._enter(Phase.HALTED)
        self._problem = reason
        self._answer_reset_requests(False, reason)

    def _enter(self, phase: Phase) -> None:
        self._phase = phase
        self._phase_start, self._phase_start_steady = self._clock.now(), time.monotonic()
        self._publish_running(phase is Phase.RUNNING)
        if phase is Phase.RUNNING:
            self._task_was_used = True
        if phase is not Phase.STARTING:
            self._problem = ''

    def _publish_next_task(self) -> None:
        self._task_was_used = False
        if self._settings.task_list:
            self._task = self._tasks.next()
            self._publisher.publish(String(data=self._task))

    def _steady_seconds(self) -> float:
        return time.monotonic() - self._phase_start_steady

    # Messages of the reward node

    def _on_progress(self, message: Progress) -> None:
        self._episode.take(message, self._clock.now())

    def _on_success(self, _message: SuccessDetected) -> None:
        self._end('success')

    def _answer_reset_requests(self, success: bool, message: str) -> None:
        callbacks, self._reset_callbacks = self._reset_callbacks, []
        for callback in callbacks:
            callback(success, message)
