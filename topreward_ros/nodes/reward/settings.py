# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The parameters of the reward node: default, meaning, range and when each can be set."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass

from topreward_ros.reward.calibration import LENGTH_BIASES
from topreward_ros.reward.events import EventOptions
from topreward_ros.reward.live import RewardOptions
from topreward_ros.reward.progress import NORMALIZATIONS
from topreward_ros.scoring.frame_fits import FRAME_FITS
from topreward_ros.scoring.loading.options import (
    DTYPES,
    QUANTIZATIONS,
    REWARD_MODELS,
    SCORERS,
    LoadOptions,
)
from topreward_ros.scoring.sampling import HISTORIES, Sampling

from ..common import parameter_table
from ..common.middleware import TRANSPORTS
from ..common.parameter_table import Change, check, descriptions, parameter
from .settings_together import check_together


@dataclass(frozen=True)
class RewardSettings:
    """The values of the parameters; raises ValueError if they are inconsistent."""

    model: str = parameter(
        'Qwen/Qwen3-VL-8B-Instruct',
        'Folder of a vision-language model, or its id on the Hugging Face hub.',
        Change.UNCONFIGURED,
    )
    reward_model: str = parameter(
        LoadOptions.reward_model,
        'Reward model by which the checkpoint scores; auto is as the checkpoint was trained, '
        'topreward for a general one.',
        Change.UNCONFIGURED,
        choices=('auto', *REWARD_MODELS),
    )
    device: str = parameter(
        LoadOptions.device,
        'Device of the model: auto (a GPU if available), cpu, cuda, cuda:1, ...',
        Change.UNCONFIGURED,
    )
    dtype: str = parameter(
        LoadOptions.dtype,
        'Data type of the weights; auto is bfloat16 on a GPU and float32 elsewhere; float8 is for '
        'Ada and Hopper.',
        Change.UNCONFIGURED,
        choices=('auto', *DTYPES),
    )
    attention: str = parameter(
        LoadOptions.attention,
        'Attention implementation of transformers: sdpa, eager, flash_attention_2, ...',
        Change.UNCONFIGURED,
    )
    quantization: str = parameter(
        LoadOptions.quantization,
        'Quantization of the weights by bitsandbytes, on a CUDA device.',
        Change.UNCONFIGURED,
        choices=QUANTIZATIONS,
    )
    adapter: str = parameter(
        '',
        'Folder or hub id of a LoRA adapter to merge into the weights; empty for none.',
        Change.UNCONFIGURED,
    )
    scorer: str = parameter(
        LoadOptions.scorer,
        'Scoring method: streaming (constant cost per score), recompute (the whole prompt for each '
        'score), or auto (streaming if the model supports it).',
        Change.UNCONFIGURED,
        choices=SCORERS,
    )
    frame_fit: str = parameter(
        LoadOptions.frame_fit,
        'How frames are resized: paper (squashed to 244x244, as in all published results) or '
        'aspect (in their own shape); a model that was trained with one of them keeps it.',
        Change.UNCONFIGURED,
        choices=FRAME_FITS,
    )
    max_pixels: int = parameter(
        LoadOptions.max_pixels,
        'Largest number of pixels of a frame; larger frames are resized [px].',
        Change.UNCONFIGURED,
        range=(1024, 16_777_216),
    )
    warm_up_size: str = parameter(
        '640x480',
        'Image size for the warm-up at configuration, which makes the first score as fast as later '
        'ones; empty for no warm-up [px].',
        Change.UNCONFIGURED,
    )
    image_transport: str = parameter(
        'raw',
        'Type of the images: raw (sensor_msgs/Image) or compressed (sensor_msgs/CompressedImage).',
        Change.INACTIVE,
        choices=TRANSPORTS,
    )
    task: str = parameter(
        '',
        'Task at activation, in words; empty to wait for one on ~/task.',
        Change.INACTIVE,
    )
    fps: float = parameter(
        Sampling.fps,
        'Sampling rate: frames kept per second of image stamps [1/s].',
        Change.INACTIVE,
        range=(0.01, 30.0),
    )
    max_frames: int = parameter(
        Sampling.max_frames,
        'Most frames kept, a multiple of 4; when reached, frames are dropped as by history.',
        Change.INACTIVE,
        range=(4, 1024),
        multiple_of=4,
    )
    history: str = parameter(
        Sampling.history,
        'What is dropped at max_frames: every second pair, and the sampling interval doubles '
        '(thin), or the oldest frame for each new one (last), which is for models trained on clips '
        'of so many frames; a score then costs a run of all frames kept.',
        Change.INACTIVE,
        choices=HISTORIES,
    )
    max_gap: float = parameter(
        Sampling.max_gap,
        'Largest step between image stamps within an episode, more than 1/fps; a larger one starts '
        'a new episode [s].',
        Change.INACTIVE,
        range=(0.1, 3600.0),
    )
    queue_size: int = parameter(
        32,
        'Most frames that wait for the model; beyond it the oldest is dropped and counted.',
        Change.INACTIVE,
        range=(2, 1024),
    )
    normalization: str = parameter(
        RewardOptions.normalization,
        'Conversion of log P("True") to progress: by a fixed range, by the range so far in the '
        'episode (running), as the probability P, or by a range calibrated on demonstrations.',
        Change.EPISODE,
        choices=tuple(NORMALIZATIONS),
    )
    log_prob_low: float = parameter(
        RewardOptions.log_prob_low,
        'Lower end of the fixed range: log P("True") at which progress is 0 [nat].',
        Change.EPISODE,
        range=(-1000.0, 0.0),
    )
    log_prob_high: float = parameter(
        RewardOptions.log_prob_high,
        'Upper end of the fixed range: log P("True") at which progress is 1 [nat].',
        Change.EPISODE,
        range=(-1000.0, 0.0),
    )
    length_bias: str = parameter(
        RewardOptions.length_bias,
        'Correction of log P("True") for the number of frames: static subtracts the calibrated '
        'curve of a static video, for progress and for success.',
        Change.EPISODE,
        choices=LENGTH_BIASES,
    )
    second_opinion: str = parameter(
        '',
        'Folder or hub id of a second model, which scores the frames that the first one is unsure '
        'about, on ~/second/progress; empty for none.',
        Change.UNCONFIGURED,
    )
    second_reward_model: str = parameter(
        LoadOptions.reward_model,
        'Reward model by which the second model scores, as reward_model.',
        Change.UNCONFIGURED,
        choices=('auto', *REWARD_MODELS),
    )
    second_opinion_band: tuple[float, ...] = parameter(
        (0.0, 1.0),
        'The second model is asked where the progress of the first one, or the probability of '
        'success that it gives, is from the first to the second of these numbers, or where '
        'progress is unknown; 0 to 1 for every score.',
        Change.EPISODE,
    )
    calibration: str = parameter(
        '',
        'File written by `topreward calibrate` for this model and fps, or empty for none; its '
        'success rule replaces the three parameters below.',
        Change.UNCONFIGURED,
    )
    success_threshold: float = parameter(
        RewardOptions.success_threshold,
        'Smallest mean log P("True") that counts as success, or log of the probability of success '
        'that the model gives; depends on model and task [nat].',
        Change.EPISODE,
        range=(-1000.0, 0.0),
    )
    success_window: int = parameter(
        RewardOptions.success_window,
        'Number of scores in this mean.',
        Change.EPISODE,
        range=(1, 100),
    )
    success_hold: int = parameter(
        RewardOptions.success_hold,
        'Number of consecutive means that must reach the threshold.',
        Change.EPISODE,
        range=(1, 100),
    )
    stall_seconds: float = parameter(
        EventOptions.stall_seconds,
        'Progress that has not risen by stall_rise in this time of image stamps is the event '
        'stalled on ~/events, unless the scene is finished; 0 for never [s].',
        Change.EPISODE,
        range=(0.0, 3600.0),
    )
    stall_rise: float = parameter(
        EventOptions.stall_rise,
        'Smallest rise of progress in stall_seconds that is no stall.',
        Change.EPISODE,
        range=(0.001, 1.0),
    )
    regress_fall: float = parameter(
        EventOptions.regress_fall,
        'Smallest fall of progress below the highest of the episode that is the event regressed on '
        '~/events; 0 for never.',
        Change.EPISODE,
        range=(0.0, 1.0),
    )
    failures_allowed: int = parameter(
        3,
        'Scores in a row that may fail; at one more the node goes to its error state and becomes '
        'unconfigured.',
        Change.INACTIVE,
        range=(0, 1000),
    )
    publish_reward: bool = parameter(
        False,
        'Publish the reward of each score as a plain number on ~/reward, too.',
        Change.INACTIVE,
    )
    stale_after: float = parameter(
        2.0,
        'Time without an expected image after which the camera is reported as stale [s].',
        Change.INACTIVE,
        range=(0.1, 3600.0),
    )
    diagnostics_period: float = parameter_table.diagnostics_period()
    autostart: bool = parameter_table.autostart()

    @property
    def warm_up(self) -> tuple[int, int] | None:
        """Width and height [px] of the images for the warm-up; None for no warm-up.

        Raises ValueError if warm_up_size has another form.
        """
        if not self.warm_up_size:
            return None
        match = re.fullmatch(r'([1-9]\d{1,4})x([1-9]\d{1,4})', self.warm_up_size)
        if not match:
            raise ValueError(
                f'warm_up_size is {self.warm_up_size!r}; expected a width and a height such as '
                '640x480, or an empty text'
            )
        return int(match[1]), int(match[2])

    @property
    def load_options(self) -> LoadOptions:
        """The options for loading the model, from the parameters of the same names."""
        names = {field.name for field in dataclasses.fields(LoadOptions)}
        values = {name: getattr(self, name) for name in names}
        return LoadOptions(**{**values, 'adapter': self.adapter or None})

    @property
    def second_load_options(self) -> LoadOptions:
        """Those of the second model; all but the model is as for the first one."""
        return dataclasses.replace(
            self.load_options,
            model=self.second_opinion,
            reward_model=self.second_reward_model,
            adapter=None,
        )

    @property
    def second_reward(self) -> RewardOptions:
        """The options of the second model's progress, for which there is no calibration."""
        normalization = 'fixed' if self.normalization == 'calibrated' else self.normalization
        return dataclasses.replace(self.reward, normalization=normalization, length_bias='none')

    @property
    def sampling(self) -> Sampling:
        """The sampling of the camera."""
        return Sampling(self.fps, self.max_frames, self.max_gap, self.history)

    @property
    def reward(self) -> RewardOptions:
        """The options of progress and success, from the parameters of the same names."""
        names = [field.name for field in dataclasses.fields(RewardOptions)]
        return RewardOptions(**{name: getattr(self, name) for name in names})

    @property
    def events(self) -> EventOptions:
        """When progress has stalled or regressed."""
        return EventOptions(self.stall_seconds, self.stall_rise, self.regress_fall)

    def __post_init__(self) -> None:
        check(self)
        _ = self.warm_up
        check_together(self)


DESCRIPTIONS = descriptions(RewardSettings)
