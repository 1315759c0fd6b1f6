# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which values of the reward node's parameters do not go together."""

from __future__ import annotations

from typing import Any


def check_together(settings: Any) -> None:
    """Raise ValueError for RewardSettings whose values contradict each other."""
    if settings.adapter and settings.quantization != 'none':
        raise ValueError(
            f'quantization is {settings.quantization} and adapter {settings.adapter!r}; expected '
            'one of the two, as an adapter cannot be merged into quantized weights'
        )
    if settings.log_prob_low >= settings.log_prob_high:
        raise ValueError(
            f'log_prob_low is {settings.log_prob_low} and log_prob_high {settings.log_prob_high}; '
            'expected the low end below the high end'
        )
    if settings.max_gap * settings.fps <= 1:
        raise ValueError(
            f'max_gap is {settings.max_gap} s; expected more than 1/fps, {1 / settings.fps} s'
        )
    band = settings.second_opinion_band
    if len(band) != 2 or not 0 <= band[0] <= band[1] <= 1:
        raise ValueError(
            f'second_opinion_band is {list(band)}; expected two numbers from 0 to 1, the lower '
            'one first'
        )
    for name, value in (('normalization', 'calibrated'), ('length_bias', 'static')):
        if getattr(settings, name) == value and not settings.calibration:
            raise ValueError(
                f'{name} is {value}, which needs a calibration: make one with `topreward '
                'calibrate` and set the parameter calibration to its file'
            )
