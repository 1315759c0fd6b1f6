# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The reward of a scorer in this process: the numbers of a reward node, without ROS."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np

from topreward_ros.reward.calibration import Calibration
from topreward_ros.reward.live import RewardOptions
from topreward_ros.scoring.sampling import Sampling, Verdict
from topreward_ros.scoring.score import Episode, Scorer

from .reward_wrapper import Reading, RewardWrapper, Task

NO_OPTIONS, NO_SAMPLING = RewardOptions(), Sampling()


class ScorerReward(RewardWrapper):
    """Scores each picture that is due, as the node does, and waits for nothing else."""

    def __init__(
        self,
        env: gymnasium.Env[Any, Any],
        scorer: Scorer,
        task: Task,
        *,
        reward: RewardOptions = NO_OPTIONS,
        calibration: Calibration | None = None,
        sampling: Sampling = NO_SAMPLING,
        **options: Any,
    ) -> None:
        """reward, calibration and sampling as the node's parameters; options of `RewardWrapper`.

        Raises ValueError as `RewardOptions.start` and `Sampling.window`.
        """
        super().__init__(env, task, **options)
        self._scorer = scorer
        # Every episode follows a reset, as a live one does
        self._reward = reward.start(calibration, from_unfinished=True)
        self._window = sampling.window()
        self._episode: Episode | None = None
        self._is_success = False

    def close(self) -> None:
        self._end()
        super().close()

    def _begin(self, task: str) -> None:
        self._end()
        self._episode = self._scorer.start(task)
        self._reward.start()
        self._window.start()
        self._is_success = False

    def _judge(self, picture: np.ndarray, stamp: int) -> Reading | None:
        assert self._episode is not None
        if self._window.judge(stamp) is not Verdict.KEEP:
            self._window.skip(stamp)
            return None
        sample = self._window.take(stamp)
        if sample.thin:
            self._episode.thin()
        if sample.keep is not None:
            self._episode.keep_last(sample.keep)
        self._episode.append(picture, sample.time)
        score = self._episode.score()
        step = self._reward.update(score)
        self._is_success = self._is_success or step.success is not None
        probability = float('nan') if score.success is None else score.success
        return Reading(stamp, step.progress, self._is_success, probability, int(step.scene))

    def _end(self) -> None:
        if self._episode is not None:
            self._episode.close()
        self._episode = None
