# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The reward model `topreward_ros`: frames and tasks of a batch in, rewards out.

The weights belong to the model that the configuration names, so what LeRobot saves and loads is a
config.json alone, as with its own TOPReward.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from lerobot.configs.rewards import RewardModelConfig
from lerobot.rewards.pretrained import PreTrainedRewardModel
from torch import Tensor

from topreward_ros.errors import FrameError, ModelError
from topreward_ros.results.calibration_file import check_calibration, read_calibration
from topreward_ros.scoring.clip_curve import curve
from topreward_ros.scoring.families import load_scorer
from topreward_ros.scoring.sampling import Sampling

from .configuration_topreward_ros import PROGRESS, SUCCESS, VALUE, TopRewardRosConfig
from .frames import episodes_of, tasks_of


class TopRewardRosRewardModel(PreTrainedRewardModel):
    """A scorer of topreward_ros as a reward model for inference; used by one thread at a time.

    It has no parameters of its own: the engine runs the model on the device of the configuration,
    and `.to(...)` moves nothing.
    """

    name = 'topreward_ros'
    config_class = TopRewardRosConfig

    def __init__(self, config: TopRewardRosConfig, **_: Any) -> None:
        """Load the model; what else LeRobot passes (`dataset_stats`) is not needed.

        Raises ModelError for a model that cannot be loaded, or whose scores do not tell success
        where that is the reward; CalibrationError for a calibration that is not the model's.
        """
        super().__init__(config)
        self.config = config
        self.scorer = load_scorer(config.load_options())
        self._calibration = None
        if config.calibration is not None:
            self._calibration = read_calibration(Path(config.calibration))
            check_calibration(
                self._calibration,
                config.fps,
                self.scorer.identity,
                config.calibration,
                config.history_for(self._calibration.history),
            )
        elif config.reward_output == SUCCESS and not self.scorer.tells_success:
            raise ModelError(
                f'{self.scorer.reward_model} cannot tell success: set reward_output to progress or '
                'value, or give a calibration, which judges by progress'
            )
        self._reward = config.reward_options().start(self._calibration)

    def compute_reward(self, batch: dict[str, Any]) -> Tensor:
        """Return the reward after the last frame of each sample, float32 (B,).

        The batch has images and tasks as `episodes_of` and `tasks_of` take them, before or after
        the preprocessor. The reward is on the configuration's device. Raises FrameError and
        TaskError, with what was expected.
        """
        config = self.config
        episodes = list(episodes_of(batch, config.image_key, config.max_frames))
        tasks = tasks_of(batch, config.task_key, len(episodes), config.default_task)
        rewards = [
            self._after(frames, left_out, task)
            for (left_out, frames), task in zip(episodes, tasks, strict=True)
        ]
        return torch.tensor(rewards, dtype=torch.float32, device=config.device or 'cpu')

    def _after(self, frames: np.ndarray, left_out: int, task: str) -> float:
        """Return the reward after frames, uint8 (T, H, W, 3), with left_out of them before."""
        if self._calibration is not None:
            if left_out and self._calibration.history == Sampling.history:
                raise FrameError(
                    f'{left_out + len(frames)} frames, and the calibration is not of the last '
                    f'{len(frames)}: give at most max_frames, or calibrate with --history last'
                )
            task = self._calibration.ask(task)
        times = (left_out + np.arange(len(frames))) / self.config.fps
        lengths = [len(frames)] if self.config.reward_output == VALUE else None
        scores = [row[0] for row in curve(self.scorer, frames, times.tolist(), task, lengths)]
        if self.config.reward_output == VALUE:
            return scores[-1].value
        self._reward.start()
        steps = [self._reward.update(score) for score in scores]
        if self.config.reward_output == PROGRESS:
            return steps[-1].progress
        return float(any(step.success is not None for step in steps))

    def _save_pretrained(self, save_directory: Path) -> None:
        """Write config.json alone."""
        self.config._save_pretrained(save_directory)

    @classmethod
    def from_pretrained(  # type: ignore[override, unused-ignore]
        cls,
        pretrained_name_or_path: str | Path,
        *,
        config: RewardModelConfig | None = None,
        strict: bool = False,
        **options: Any,
    ) -> TopRewardRosRewardModel:
        """Read a config.json, from a folder or the hub, and load the model that it names.

        options are those of `RewardModelConfig.from_pretrained`. strict is LeRobot's, for weights,
        which there are none of. Raises TypeError for the configuration of another reward model.
        """
        if config is None:
            config = RewardModelConfig.from_pretrained(pretrained_name_or_path, **options)
        if not isinstance(config, TopRewardRosConfig):
            raise TypeError(
                f'{pretrained_name_or_path} is of the reward model {config.type!r}; expected '
                f'{cls.name!r}'
            )
        reward_model = cls(config)
        reward_model.eval()
        return reward_model
