# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What an active node does: episodes of one camera, from frames and tasks to published progress."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from rclpy.node import Node
from rclpy.time import Time

from topreward_ros.msg import Progress, SuccessDetected

from ..reward.calibration import Calibration
from ..scoring.errors import TaskError
from ..scoring.questions import check_task
from ..scoring.window import Sample
from .camera import Camera
from .diagnostics import DROPPED, ERROR, MISSED, OK, REFUSED, WARN, ScoreRate
from .scoring_thread import Frame, Scored, ScoringThread
from .settings import Settings


class LiveScoring:
    """Lives from activation to deactivation, all on the executor's thread.

    read_settings gives the parameters as they are at the moment, which go with the calibration;
    publish takes a message.
    """

    def __init__(
        self,
        node: Node,
        thread: ScoringThread,
        read_settings: Callable[[], Settings],
        publish: Callable[[Progress | SuccessDetected], None],
        calibration: Calibration | None = None,
    ) -> None:
        self._node = node
        self._thread = thread
        self._read_settings = read_settings
        self._publish = publish
        self._calibration = calibration
        self._settings = read_settings()
        self._task = ''
        self._running = False
        self._episode = 0  # as it is published; counts from activation
        self._token = -1  # as the thread knows it
        self._trouble = ''  # why there are no scores, until the next episode
        self._dropped = 0
        self._rate = ScoreRate()
        self.camera = Camera(node, self._settings, self._on_frame, self._on_jump)
        if self._settings.task.strip():
            self.take_task(self._settings.task)

    def close(self) -> None:
        """Stop watching and drop the episode."""
        self.camera.close()
        self._thread.end()

    # Episodes

    def take_task(self, text: str) -> None:
        """A new text begins an episode; an empty one stops scoring, a bad one too, as an error."""
        if text == self._task and not self._trouble:
            return
        if not text.strip():
            self._task = ''
            self._end_episode('')
            self._node.get_logger().info('no task: scoring stops')
            return
        try:
            check_task(text)
        except TaskError as error:
            # To go on with the task before would be a number for the wrong question.
            self._task = ''
            self._fail(f'task refused: {error}')
            return
        self._task = text
        self._begin_episode('a new task')

    def restart(self) -> tuple[bool, str]:
        """Begin a new attempt at the same task; whether it was begun, and what to tell."""
        if not self._task:
            return False, 'there is no task: publish one on ~/task first'
        self._begin_episode('~/start_episode')
        return not self._trouble, self._trouble or f'episode {self._episode}'

    def _begin_episode(self, why: str) -> None:
        self._reward = self._read_settings().reward.start(self._calibration)
        self._episode += 1
        self._trouble = ''
        self._running = True
        self._token = self._thread.begin(self._task)
        self.camera.start_episode()
        self._node.get_logger().info(f'episode {self._episode} ({why}): {self._task}')
        if self._calibration is not None and self._task not in self._calibration.tasks:
            tasks = ', '.join(f'"{task}"' for task in self._calibration.tasks)
            self._node.get_logger().warning(f'the calibration was made for other tasks: {tasks}')

    def _end_episode(self, trouble: str) -> None:
        self._running = False
        self._trouble = trouble
        self._thread.end()
        self.camera.stop_episode()

    def _fail(self, trouble: str) -> None:
        self._end_episode(trouble)
        self._node.get_logger().error(trouble)

    def _on_jump(self, what: str) -> None:
        self._node.get_logger().warning(f'the image stamps {what}: a new episode begins')
        self._begin_episode(f'stamps {what}')

    # Frames and scores

    def _on_frame(self, image: np.ndarray, sample: Sample, header: Any) -> None:
        frame = Frame(self._token, image, sample, header)
        if not self._thread.append(frame, self._settings.queue_size):
            self._dropped += 1
            self._node.get_logger().warning(
                f'the model falls behind: {self._settings.queue_size} frames wait, and the oldest '
                'was dropped; lower fps or max_pixels, or use a smaller model',
                throttle_duration_sec=5.0,
            )

    def _since(self, stamp: Any) -> float:
        """Until now [s]; NaN while simulated time has not begun."""
        clock = self._node.get_clock()
        now = clock.now()
        if not now.nanoseconds:
            return math.nan
        return float((now - Time.from_msg(stamp, clock_type=clock.clock_type)).nanoseconds / 1e9)

    def on_scored(self, scored: Scored) -> None:
        """Publish a score, unless its episode ended while it was under way."""
        frame, score = scored.frame, scored.score
        if frame.episode != self._token or not self._running:
            return
        step = self._reward.update(score.log_prob, score.frames)
        latency = self._since(frame.header.stamp)
        self._rate.scored(latency, scored.seconds)
        common = {
            'header': frame.header,
            'episode': self._episode,
            'task': self._task,
            'frames': score.frames,
        }
        self._publish(
            Progress(
                **common,
                log_prob=score.log_prob,
                log_prob_false=score.log_prob_false,
                progress=step.progress,
                reward=step.reward,
                normalization=self._reward.normalization.name,
                latency=latency,
            )
        )
        if step.success is None:
            return
        self._publish(
            SuccessDetected(**common, score=step.success.score, threshold=step.success.threshold)
        )
        self._node.get_logger().info(
            f'episode {self._episode}: success after {score.frames} frames'
        )

    def on_failed(self, episode: int, error: Exception) -> None:
        """Stop scoring; what went wrong is told until a new episode begins."""
        if episode == self._token and self._running:
            self._fail(f'scoring failed, episode {self._episode} ended: {error}')

    # Diagnostics

    def health(self) -> tuple[bytes, str]:
        """Level and message for /diagnostics."""
        if self._trouble:
            return ERROR, self._trouble
        if not self._task:
            return OK, 'waiting for a task'
        if complaint := self.camera.complaint():
            return WARN, complaint
        if self._thread.waiting * 2 > self._settings.queue_size:
            return WARN, 'the model falls behind'
        return OK, 'scoring'

    def facts(self) -> dict[str, object]:
        """Values for /diagnostics."""
        counts = self.camera.counts
        return {
            'episode': self._episode,
            'task': self._task,
            'scores per second': f'{self._rate.per_second():.2f}',
            'latency [s]': f'{self._rate.latency:.3f}',
            'model time per score [s]': f'{self._rate.model_seconds:.3f}',
            'frames waiting': self._thread.waiting,
            DROPPED: self._dropped,
            'frames in window': self.camera.frames,
            'images taken': counts.taken,
            'images kept': counts.kept,
            REFUSED: counts.refused,
            'images of another size': counts.resized,
            MISSED: counts.missed,
            'stamps repeated': counts.repeated,
            'stamp jumps': counts.jumps,
        }
