# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Every parameter of the reward node: its default, meaning, range and when it may change."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass

from topreward_ros.reward.calibration import LENGTH_BIASES
from topreward_ros.reward.live import RewardOptions
from topreward_ros.reward.progress import NORMALIZATIONS
from topreward_ros.scoring.loading.options import DTYPES, QUANTIZATIONS, SCORERS, LoadOptions
from topreward_ros.scoring.sampling import Sampling

from ..common import parameter_table
from ..common.middleware import TRANSPORTS
from ..common.parameter_table import Change, check, descriptions, parameter


@dataclass(frozen=True)
class RewardSettings:
    """The values of the parameters; ValueError where they do not go together."""

    model: str = parameter(
        'Qwen/Qwen3-VL-8B-Instruct',
        'Folder of a vision-language model, or its id on the Hugging Face hub.',
        Change.UNCONFIGURED,
    )
    device: str = parameter(
        LoadOptions.device,
        'Device of the model: auto (a GPU if there is one), cpu, cuda, cuda:1, ...',
        Change.UNCONFIGURED,
    )
    dtype: str = parameter(
        LoadOptions.dtype,
        'Number format of the weights; auto is bfloat16 on a GPU and float32 elsewhere.',
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
        'Weights in fewer bits, through bitsandbytes on a CUDA device.',
        Change.UNCONFIGURED,
        choices=QUANTIZATIONS,
    )
    adapter: str = parameter(
        '',
        'Folder or hub id of a LoRA adapter that is merged into the weights; empty takes the model '
        'as it is.',
        Change.UNCONFIGURED,
    )
    scorer: str = parameter(
        LoadOptions.scorer,
        'streaming (constant cost), recompute (whole prefix each time), or auto by the model.',
        Change.UNCONFIGURED,
        choices=SCORERS,
    )
    max_pixels: int = parameter(
        LoadOptions.max_pixels,
        'Frames are shrunk to at most this many pixels [px].',
        Change.UNCONFIGURED,
        range=(1024, 16_777_216),
    )
    warm_up_size: str = parameter(
        '640x480',
        'Size of the images for which steps are prepared while configuring, so that the first '
        'score is as fast as the hundredth; empty prepares nothing [px].',
        Change.UNCONFIGURED,
    )
    image_transport: str = parameter(
        'raw',
        'raw subscribes to sensor_msgs/Image, compressed to sensor_msgs/CompressedImage.',
        Change.INACTIVE,
        choices=TRANSPORTS,
    )
    task: str = parameter(
        '',
        'Task at activation, in words; empty waits for one on ~/task.',
        Change.INACTIVE,
    )
    fps: float = parameter(
        Sampling.fps,
        'Frames kept per second of image stamps [1/s].',
        Change.INACTIVE,
        range=(0.01, 30.0),
    )
    max_frames: int = parameter(
        Sampling.max_frames,
        'Most frames kept, a multiple of 4; when reached, every second pair is dropped and the '
        'interval doubles.',
        Change.INACTIVE,
        range=(4, 1024),
        multiple_of=4,
    )
    max_gap: float = parameter(
        Sampling.max_gap,
        'A step of the image stamps beyond this begins a new episode; more than 1/fps [s].',
        Change.INACTIVE,
        range=(0.1, 3600.0),
    )
    queue_size: int = parameter(
        32,
        'Kept frames that may wait for the model; beyond it the oldest is dropped and counted.',
        Change.INACTIVE,
        range=(2, 1024),
    )
    normalization: str = parameter(
        RewardOptions.normalization,
        'How log P becomes progress: by a fixed range, the range seen so far, P itself, or a '
        'range calibrated on demonstrations.',
        Change.EPISODE,
        choices=tuple(NORMALIZATIONS),
    )
    log_prob_low: float = parameter(
        RewardOptions.log_prob_low,
        'Progress is 0 at this log P("True") and below, for the fixed range [nat].',
        Change.EPISODE,
        range=(-1000.0, 0.0),
    )
    log_prob_high: float = parameter(
        RewardOptions.log_prob_high,
        'Progress is 1 at this log P("True") and above, for the fixed range [nat].',
        Change.EPISODE,
        range=(-1000.0, 0.0),
    )
    length_bias: str = parameter(
        RewardOptions.length_bias,
        'static takes off what the model says of a still picture of as many frames, as the '
        'calibration has it, before log P becomes progress and success.',
        Change.EPISODE,
        choices=LENGTH_BIASES,
    )
    calibration: str = parameter(
        '',
        'File of `topreward calibrate` for this model and fps; its success rule takes the place of '
        'the three below. Empty: none.',
        Change.UNCONFIGURED,
    )
    success_threshold: float = parameter(
        RewardOptions.success_threshold,
        'Success needs a mean log P("True") of at least this; depends on model and task [nat].',
        Change.EPISODE,
        range=(-1000.0, 0.0),
    )
    success_window: int = parameter(
        RewardOptions.success_window,
        'Scores in that mean.',
        Change.EPISODE,
        range=(1, 100),
    )
    success_hold: int = parameter(
        RewardOptions.success_hold,
        'Times in a row that the mean has to reach the threshold.',
        Change.EPISODE,
        range=(1, 100),
    )
    stale_after: float = parameter(
        2.0,
        'The camera is called stale after this long without a wanted image [s].',
        Change.INACTIVE,
        range=(0.1, 3600.0),
    )
    diagnostics_period: float = parameter_table.diagnostics_period()
    autostart: bool = parameter_table.autostart()

    @property
    def warm_up(self) -> tuple[int, int] | None:
        """Width and height [px] of the images to prepare for; ValueError for another text."""
        if not self.warm_up_size:
            return None
        match = re.fullmatch(r'([1-9]\d{1,4})x([1-9]\d{1,4})', self.warm_up_size)
        if not match:
            raise ValueError(
                f'warm_up_size is {self.warm_up_size!r}; expected a width and a height such as '
                '640x480, or nothing'
            )
        return int(match[1]), int(match[2])

    @property
    def load_options(self) -> LoadOptions:
        """How to load the model, by the parameters of the same names."""
        names = {field.name for field in dataclasses.fields(LoadOptions)}
        values = {name: getattr(self, name) for name in names}
        return LoadOptions(**{**values, 'adapter': self.adapter or None})

    @property
    def sampling(self) -> Sampling:
        """How the camera is sampled."""
        return Sampling(self.fps, self.max_frames, self.max_gap)

    @property
    def reward(self) -> RewardOptions:
        """How log P is read, by the parameters of the same names."""
        names = [field.name for field in dataclasses.fields(RewardOptions)]
        return RewardOptions(**{name: getattr(self, name) for name in names})

    def __post_init__(self) -> None:
        check(self)
        _ = self.warm_up
        if self.adapter and self.quantization != 'none':
            raise ValueError(
                f'quantization is {self.quantization} and adapter {self.adapter!r}; expected one '
                'of the two, as an adapter is merged into weights that are not quantised'
            )
        if self.log_prob_low >= self.log_prob_high:
            raise ValueError(
                f'log_prob_low is {self.log_prob_low} and log_prob_high {self.log_prob_high}; '
                'expected the low end below the high end'
            )
        if self.max_gap * self.fps <= 1:
            raise ValueError(
                f'max_gap is {self.max_gap} s; expected more than 1/fps, {1 / self.fps} s'
            )
        for name, value in (('normalization', 'calibrated'), ('length_bias', 'static')):
            if getattr(self, name) == value and not self.calibration:
                raise ValueError(
                    f'{name} is {value}, which needs a calibration: make one with `topreward '
                    'calibrate` and name its file in the parameter calibration'
                )


DESCRIPTIONS = descriptions(RewardSettings)
