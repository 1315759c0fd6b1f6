# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Live scoring of one camera by an active node: from frames and tasks to published progress."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from rclpy.node import Node
from rclpy.time import Time
from std_msgs.msg import Float64

from topreward_ros.errors import TaskError
from topreward_ros.msg import Event, Progress, SuccessDetected
from topreward_ros.results.messages import common_fields, progress_fields, success_fields
from topreward_ros.reward.calibration import Calibration
from topreward_ros.reward.live import LiveReward
from topreward_ros.reward.success import Scene
from topreward_ros.scoring.questions import check_task, printable
from topreward_ros.scoring.sampling import Sample

from ..common.diagnostics import (
    KEY_DROPPED,
    KEY_MISSED,
    KEY_REFUSED,
    LEVEL_ERROR,
    LEVEL_OK,
    LEVEL_WARN,
    ScoreRate,
)
from .channel import Channel
from .debug_image import DebugImage
from .episode_events import EpisodeEvents
from .image_subscription import ImageSubscription
from .scoring_requests import EpisodeRequest, Fitter, Frame, ScoringResult
from .second_opinion import SecondOpinion, fitters_of
from .settings import RewardSettings

THREAD_ENDED = 'the scoring thread has ended: configure the node anew'
MakeSecond = Callable[[Callable[[Any], float]], SecondOpinion]
NOT_RESET = 'scene looks finished: was it reset?'  # from the start of the episode


class LiveScoring:
    """Exists from activation to deactivation and runs on the executor's thread.

    fitter and reward_model are the scorer's; read_settings returns the current parameters, which
    are valid for the calibration; give_up takes the reason why the node cannot score; publish takes
    a message; second makes a second opinion, given what tells the time since a stamp.
    """

    def __init__(
        self,
        node: Node,
        channel: Channel,
        fitter: Fitter,
        reward_model: str,
        read_settings: Callable[[], RewardSettings],
        *,
        give_up: Callable[[str], None],
        publish: Callable[[Progress | SuccessDetected | Event | Float64], None],
        calibration: Calibration | None = None,
        second: MakeSecond | None = None,
    ) -> None:
        self._node = node
        self._channel = channel
        self._reward_model = reward_model
        self._read_settings = read_settings
        self._give_up = give_up
        self._publish = publish
        self._calibration = calibration
        self._settings = read_settings()
        self._task = ''
        self._running = False
        self._episode = 0  # counted since activation
        self._problem = ''  # why scoring has stopped, until the next episode
        self._scene = Scene.UNKNOWN  # by the newest score
        self._dropped = 0
        self._skipped = 0  # scores that failed, since activation
        self._skipped_in_a_row = 0
        self._skip_reason = ''  # of the newest score, if it failed
        self._rate = ScoreRate()
        self._second = None if second is None else second(self._since)
        self._debug = DebugImage(node, self._settings.queue_size)
        self._events = EpisodeEvents(self._settings.events)
        others = [each.fitter for each in (self._debug, self._second) if each is not None]
        self.images = ImageSubscription(
            node,
            self._settings,
            fitters_of(fitter, *others),
            on_frame=self._on_frame,
            on_jump=self._on_jump,
            on_mixed=self._fail,
        )
        if self._settings.task.strip():
            self.take_task(self._settings.task)

    def close(self) -> None:
        """Unsubscribe from the camera and drop the episode."""
        self._running = False
        self.images.close()
        self._channel.end()
        self._debug.close()
        if self._second is not None:
            self._second.close()

    # Episodes

    def take_task(self, text: str) -> None:
        """Begin an episode with a new task; an empty or an invalid one stops scoring."""
        if text == self._task and not self._problem:
            return
        if not text.strip():
            self._task = ''
            self._end_episode('')
            self._node.get_logger().info('scoring stopped: the task is empty')
            return
        try:
            check_task(self._asked(text))
        except TaskError as error:
            # Scores of the previous task would answer the wrong question.
            self._task = ''
            self._fail(f'task refused: {error}')
            return
        self._task = text
        self.images.stamps.start()
        self._begin_episode('a new task')

    def _asked(self, task: str) -> str:
        """Return the text that the model is asked about for a task."""
        return task if self._calibration is None else self._calibration.ask(task)

    def restart(self) -> tuple[bool, str]:
        """Begin a new attempt at the same task; return whether it began, and a message."""
        if not self._task:
            return False, self._problem or 'there is no task: publish one on ~/task first'
        if not self._channel.is_served:
            return False, THREAD_ENDED
        self.images.stamps.start()
        self._begin_episode('~/start_episode')
        return not self._problem, self._problem or f'episode {self._episode}'

    def _begin_episode(self, reason: str) -> None:
        settings = self._read_settings()
        reward = settings.reward.start(self._calibration, from_unfinished=True)
        self._events = EpisodeEvents(settings.events)
        self._episode += 1
        self._problem = self._skip_reason = ''
        self._scene = Scene.UNKNOWN
        self._running = True
        self._channel.begin(
            EpisodeRequest(
                self._asked(self._task),
                partial(self._on_scored, self._episode, reward),
                partial(self._on_skipped, self._episode),
                partial(self._on_failed, self._episode),
            )
        )
        if self._second is not None:
            self._second.begin(self._episode, self._task)
        self.images.start_episode()
        self._node.get_logger().info(f'episode {self._episode} ({reason}): {printable(self._task)}')
        if self._calibration is not None and self._task not in self._calibration.tasks:
            tasks = ', '.join(f'"{task}"' for task in self._calibration.tasks)
            self._node.get_logger().warning(f'the calibration was made for other tasks: {tasks}')

    def _end_episode(self, problem: str) -> None:
        self._running = False
        self._problem = problem
        self._channel.end()
        if self._second is not None:
            self._second.end()
        self.images.stop_episode()

    def _fail(self, problem: str) -> None:
        self._end_episode(problem)
        self._node.get_logger().error(problem)

    def _on_jump(self, jump: str) -> None:
        self._node.get_logger().warning(f'the image stamps {jump}: a new episode begins')
        self._begin_episode(f'stamps {jump}')

    # Frames and scores

    def _on_frame(self, images: tuple[np.ndarray, ...], sample: Sample, header: Any) -> None:
        if self._second is not None:
            self._second.keep(images[2], sample, header)
        self._debug.keep(images[1], header)
        if not self._channel.append(Frame(images[0], sample, header), self._settings.queue_size):
            self._dropped += 1
            self._node.get_logger().warning(
                f'the model falls behind: {self._settings.queue_size} frames were waiting and the '
                'oldest was dropped; lower fps or max_pixels, or use a smaller model',
                throttle_duration_sec=5.0,
            )

    def _since(self, stamp: Any) -> float:
        """Return the time from a stamp until now [s].

        NaN before simulated time has started, and for stamps of another clock.
        """
        clock = self._node.get_clock()
        now = clock.now()
        if not now.nanoseconds or self.images.stamps.is_far:
            return math.nan
        return float((now - Time.from_msg(stamp, clock_type=clock.clock_type)).nanoseconds / 1e9)

    def _on_scored(self, episode: int, reward: LiveReward, result: ScoringResult) -> None:
        """Publish a score, unless its episode has ended in the meantime."""
        if episode != self._episode or not self._running:
            return
        self._skipped_in_a_row, self._skip_reason = 0, ''
        score, header = result.score, result.frame.header
        step = reward.update(score)
        if step.scene is Scene.FINISHED_AT_START and self._scene is not step.scene:
            self._node.get_logger().warning(f'episode {episode}: {NOT_RESET}')
        self._scene = step.scene
        latency = self._since(header.stamp)
        self._rate.add(latency, result.seconds)
        common = common_fields(header, episode, self._task, score, self._reward_model)
        self._publish(Progress(**common, **progress_fields(score, step, latency)))
        if self._second is not None:
            self._second.hear(header, step, score.success)
        if self._settings.publish_reward:
            self._publish(Float64(data=step.reward))
        if step.success is not None:
            self._publish(SuccessDetected(**common, **success_fields(step.success)))
        for event in self._events.messages(common, step):
            self._publish(event)
            self._node.get_logger().info(
                f'episode {episode}: {event.event} after {score.frames} frames'
            )
        where = f'episode {episode}, {score.frames} frame{"s" * (score.frames != 1)}'
        self._debug.show(header, self._task, step, where, self._events.succeeded)

    def _on_skipped(self, episode: int, reason: str) -> None:
        """Count a failed score; after too many in a row, in whichever episodes, give up."""
        if episode != self._episode or not self._running:
            return
        self._skipped += 1
        self._skipped_in_a_row += 1
        self._skip_reason = reason
        allowed = self._settings.failures_allowed
        if self._skipped_in_a_row > allowed:
            count = self._skipped_in_a_row
            self._end_episode(f'{count} score{"s" * (count > 1)} failed in a row: {reason}')
            self._give_up(self._problem)
            return
        self._node.get_logger().warning(
            f'a score failed ({self._skipped_in_a_row} in a row, {allowed} allowed): {reason}'
        )

    def _on_failed(self, episode: int, reason: str) -> None:
        """Stop scoring; the diagnostics show the reason until a new episode begins."""
        if episode == self._episode and self._running:
            self._fail(f'scoring failed, episode {episode} ended: {reason}')

    # Diagnostics

    def health(self) -> tuple[bytes, str]:
        """Return the level and the message for /diagnostics."""
        if self._problem:
            return LEVEL_ERROR, self._problem
        if not self._channel.is_served:
            return LEVEL_ERROR, THREAD_ENDED
        if not self._task:
            return LEVEL_OK, 'waiting for a task'
        warning = self._warning()
        return (LEVEL_WARN, warning) if warning else (LEVEL_OK, 'scoring')

    def _warning(self) -> str | None:
        problem = self.images.problem()  # always, as it also opens an overdue gate
        if self._skip_reason:
            return f'the newest score failed: {self._skip_reason}'
        if problem is None and self._scene is Scene.FINISHED_AT_START:
            return NOT_RESET
        if problem is None and self._channel.waiting * 2 > self._settings.queue_size:
            return 'the model falls behind'
        if problem is None and self._second is not None:
            return self._second.problem or None
        return problem

    def facts(self) -> dict[str, object]:
        """Return the values for /diagnostics."""
        counts = self.images.counts
        return {
            'episode': self._episode,
            'task': self._task,
            'scores per second': f'{self._rate.per_second():.2f}',
            'latency [s]': f'{self._rate.latency:.3f}',
            'model time per score [s]': f'{self._rate.model_seconds:.3f}',
            'frames waiting': self._channel.waiting,
            KEY_DROPPED: self._dropped,
            'scores failed': self._skipped,
            'frames in window': self.images.frames,
            'images taken': counts.taken,
            'images kept': counts.kept,
            KEY_REFUSED: counts.refused,
            'images of another size': counts.resized,
            KEY_MISSED: counts.missed,
            'stamps repeated': counts.repeated,
            'stamp jumps': counts.jumps,
            **(self._second.facts() if self._second is not None else {}),
        }
