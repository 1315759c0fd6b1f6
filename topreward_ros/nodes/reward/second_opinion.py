# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A second reward model, asked about the frames that the first one is unsure about."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from topreward_ros.msg import Progress
from topreward_ros.results.messages import common_fields, progress_fields
from topreward_ros.reward.live import LiveReward, Step
from topreward_ros.reward.success import Scene
from topreward_ros.scoring.sampling import Sample
from topreward_ros.scoring.score import Scorer

from ..common.qos import QOS_RESULT
from .channel import Channel
from .scoring_requests import EpisodeRequest, Fitter, Fitters, Frame, ScoringResult
from .settings import RewardSettings

TOPIC = '~/second/progress'
UNUSED: Any = None  # the state argument of lifecycle publishers, which they ignore


class SecondOpinion:
    """Exists from activation to deactivation and runs on the executor's thread.

    Every frame is appended to its own episode, once the first model has scored it; a score is
    of the frames up to the one that the first model was unsure about. since returns the time since
    a stamp [s].
    """

    def __init__(
        self,
        node: Any,
        channel: Channel,
        scorer: Scorer,
        read_settings: Callable[[], RewardSettings],
        since: Callable[[Any], float],
    ) -> None:
        self._node, self._channel = node, channel
        self._reward_model = scorer.reward_model
        self.fitter: Fitter = scorer.fitter
        self._read_settings, self._since = read_settings, since
        self._publisher = node.create_lifecycle_publisher(Progress, TOPIC, QOS_RESULT)
        self._publisher.on_activate(UNUSED)
        self._pending: deque[Frame] = deque()  # not scored by the first model yet
        self._band = 0.0, 1.0
        self._most = 0  # frames that may wait
        self._episode, self._task = 0, ''
        self._problem = ''
        self._asked = self._published = self._failed = self._dropped = 0  # since activation
        self._seconds = 0.0  # of the newest score

    def begin(self, episode: int, task: str) -> None:
        """Begin an episode, of this number and task; what is still scored of others is dropped."""
        settings = self._read_settings()
        self._band = settings.second_opinion_band[0], settings.second_opinion_band[1]
        self._most = settings.queue_size
        self._pending.clear()
        self._episode, self._task, self._problem = episode, task, ''
        reward = settings.second_reward.start(from_unfinished=True)
        self._channel.begin(
            EpisodeRequest(
                task,
                partial(self._on_scored, episode, reward),
                partial(self._on_skipped, episode),
                partial(self._on_failed, episode),
            )
        )

    def end(self) -> None:
        """Drop the episode."""
        self._pending.clear()
        self._episode = 0
        self._channel.end()

    def close(self) -> None:
        """Drop the episode and the topic."""
        self.end()
        self._publisher.on_deactivate(UNUSED)
        self._node.destroy_lifecycle_publisher(self._publisher)

    def keep(self, image: np.ndarray, sample: Sample, header: Any) -> None:
        """Keep a frame that the first model is about to score."""
        self._pending.append(Frame(image, sample, header, is_scored=False))
        # More than wait for the first model: its scores fail
        while len(self._pending) > 2 * self._most:
            self._append(self._pending.popleft())

    def hear(self, header: Any, step: Step, success: float | None) -> None:
        """Take the first model's result for the frame of this header, and ask if it is unsure.

        success: the probability of it that the first model gives; None for none.
        """
        if not any(frame.header is header for frame in self._pending):
            return
        frame = self._pending.popleft()
        while frame.header is not header:
            self._append(frame)
            frame = self._pending.popleft()
        is_unsure = self._is_unsure(step.progress, success)
        self._asked += is_unsure
        self._append(replace(frame, is_scored=is_unsure))

    def _is_unsure(self, progress: float, success: float | None) -> bool:
        low, high = self._band
        if np.isnan(progress) or low <= progress <= high:
            return True
        return success is not None and low <= success <= high

    def _append(self, frame: Frame) -> None:
        if not self._channel.append(frame, self._most):
            self._dropped += 1
            self._node.get_logger().warning(
                f'the second model falls behind: {self._most} frames were waiting and the oldest '
                'was dropped; narrow second_opinion_band, lower fps, or use a smaller model',
                throttle_duration_sec=5.0,
            )

    def _on_scored(self, episode: int, reward: LiveReward, result: ScoringResult) -> None:
        """Publish a score, unless its episode has ended in the meantime."""
        if episode != self._episode:
            return
        self._problem, self._seconds = '', result.seconds
        score, header = result.score, result.frame.header
        # The success rule is of the first model: its threshold is in another unit
        step = replace(reward.update(score), scene=Scene.UNKNOWN)
        common = common_fields(header, episode, self._task, score, self._reward_model)
        latency = self._since(header.stamp)
        self._publisher.publish(Progress(**common, **progress_fields(score, step, latency)))
        self._published += 1

    def _on_skipped(self, episode: int, reason: str) -> None:
        if episode != self._episode:
            return
        self._failed += 1
        self._problem = f'the newest score of the second model failed: {reason}'
        self._node.get_logger().warning(self._problem, throttle_duration_sec=5.0)

    def _on_failed(self, episode: int, reason: str) -> None:
        """Tell that there is no second opinion until the next episode."""
        if episode != self._episode:
            return
        self._episode = 0
        self._problem = f'no second opinion for the rest of episode {episode}: {reason}'
        self._node.get_logger().error(self._problem)

    # Diagnostics

    @property
    def problem(self) -> str:
        """Why the newest question was not answered; empty if it was."""
        return self._problem

    def facts(self) -> dict[str, object]:
        """Return the values for /diagnostics."""
        return {
            'second opinion by': self._reward_model,
            'second opinions asked': self._asked,
            'second opinions published': self._published,
            'second opinions failed': self._failed,
            'second model time per score [s]': f'{self._seconds:.3f}',
            'second model: frames waiting': len(self._pending) + self._channel.waiting,
            'second model: frames dropped': self._dropped,
        }


def fitters_of(*fitters: Fitter) -> Fitters:
    """Return what fits an image for several scorers."""

    def fitted_to(height: int, width: int) -> Callable[[np.ndarray], tuple[np.ndarray, ...]]:
        fits = [fitter(height, width) for fitter in fitters]
        return lambda image: tuple(fit(image) for fit in fits)

    return fitted_to
