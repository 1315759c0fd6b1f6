# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Configuration of the reward model `topreward_ros`; needs LeRobot, and loads no model.

LeRobot derives all other names from this one: from the type `topreward_ros` the function that makes
the processors, from the class and its module those of the model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from lerobot.configs import FeatureType, NormalizationMode, PolicyFeature
from lerobot.configs.rewards import RewardModelConfig
from lerobot.utils.constants import OBS_IMAGES

from topreward_ros.reward.live import RewardOptions
from topreward_ros.scoring.loading.options import LoadOptions
from topreward_ros.scoring.sampling import Sampling

VALUE, PROGRESS, SUCCESS = 'value', 'progress', 'success'
REWARD_OUTPUTS = (VALUE, PROGRESS, SUCCESS)


# LeRobot's own port of TOPReward has the type `topreward`, and this engine runs other models, too.
@RewardModelConfig.register_subclass('topreward_ros')
@dataclass
class TopRewardRosConfig(RewardModelConfig):
    """What is scored, by which model, and what the reward is; ValueError for an invalid value.

    model, reward_model, adapter, dtype and frame_fit are those of `LoadOptions`; normalization,
    log_prob_low, log_prob_high [nat], success_threshold [nat] and calibration (a file of `topreward
    calibrate`) those of the reward node. image_key, task_key and default_task are as in LeRobot's
    TOPReward. fps [1/s]: of the frames in a batch, which only the times shown to the model follow
    from; max_frames: only so many of the newest frames are shown, at their own times, None for all.

    reward_output: `value` is log P("True") [nat], or the model's own progress where it has one;
    `progress` is in [0, 1], NaN while it cannot be told; `success` is 1 where success was detected
    by the last frame, else 0. The last two are the reward node's after the same frames.
    """

    model: str = 'Qwen/Qwen3-VL-8B-Instruct'
    reward_model: str = 'auto'
    adapter: str | None = None
    dtype: str = 'auto'
    frame_fit: str = 'paper'

    image_key: str = OBS_IMAGES + '.top'
    task_key: str = 'task'
    default_task: str | None = None
    fps: float = Sampling.fps
    max_frames: int | None = Sampling.max_frames

    reward_output: str = VALUE
    normalization: str = RewardOptions.normalization
    log_prob_low: float = RewardOptions.log_prob_low
    log_prob_high: float = RewardOptions.log_prob_high
    success_threshold: float = RewardOptions.success_threshold
    calibration: str | None = None

    license: str | None = 'apache-2.0'
    tags: list[str] | None = field(
        default_factory=lambda: ['reward-model', 'vision-language', 'qwen3-vl']
    )
    # Pictures stay as they are: the model's size and values are the engine's to make
    normalization_mapping: dict[str, NormalizationMode] = field(
        default_factory=lambda: {
            'VISUAL': NormalizationMode.IDENTITY,
            'REWARD': NormalizationMode.IDENTITY,
        }
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (math.isfinite(self.fps) and self.fps > 0):
            raise ValueError(f'fps is {self.fps}; expected frames per second, above 0')
        if self.max_frames is not None and self.max_frames < 1:
            raise ValueError(f'max_frames is {self.max_frames}; expected 1 or more, or None')
        if self.reward_output not in REWARD_OUTPUTS:
            raise ValueError(
                f'reward_output is {self.reward_output!r}; expected one of '
                f'{", ".join(REWARD_OUTPUTS)}'
            )
        self.load_options()
        if self.calibration is None:
            self.reward_options().start()
        self.input_features.setdefault(
            self.image_key, PolicyFeature(type=FeatureType.VISUAL, shape=(3, 224, 224))
        )
        self.output_features.setdefault(
            'reward', PolicyFeature(type=FeatureType.REWARD, shape=(1,))
        )

    def load_options(self) -> LoadOptions:
        """Return how the model is loaded; ValueError for an invalid choice."""
        return LoadOptions(
            self.model,
            device=self.device or 'auto',
            dtype=self.dtype,
            adapter=self.adapter,
            reward_model=self.reward_model,
            frame_fit=self.frame_fit,
        )

    def reward_options(self) -> RewardOptions:
        """Return how scores become progress and success."""
        return RewardOptions(
            normalization=self.normalization,
            log_prob_low=self.log_prob_low,
            log_prob_high=self.log_prob_high,
            success_threshold=self.success_threshold,
        )

    def history_for(self, history: str) -> str:
        """Return the name of what is done with more than max_frames, for a calibration's check.

        Up to max_frames nothing is dropped, so calibrations of the history `thin` hold as well.
        """
        if self.max_frames is None or history == Sampling.history:
            return Sampling.history
        return Sampling(max_frames=self.max_frames, history='last').history_name

    def validate_features(self) -> None:
        if self.image_key not in self.input_features:
            raise ValueError(f'the image key {self.image_key!r} is no input feature')
