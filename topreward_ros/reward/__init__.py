# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Scores in, progress, success and rewards out; numpy only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from topreward_ros.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from .calibration import Calibration as Calibration
    from .calibration import LengthBias as LengthBias
    from .calibration import Scale as Scale
    from .fit_scale import Attempt as Attempt
    from .fit_scale import length_bias as length_bias
    from .fit_scale import make_scale as make_scale
    from .live import LiveReward as LiveReward
    from .live import RewardOptions as RewardOptions
    from .live import Step as Step
    from .metrics import bootstrap as bootstrap
    from .metrics import roc_auc as roc_auc
    from .metrics import value_order_correlation as value_order_correlation
    from .progress import NORMALIZATIONS as NORMALIZATIONS
    from .progress import make_normalization as make_normalization
    from .progress import min_max as min_max
    from .success import Scene as Scene
    from .success import Success as Success
    from .success import SuccessDetector as SuccessDetector
    from .values import dense_rewards as dense_rewards
    from .values import differences as differences
    from .values import discounted_values as discounted_values
    from .values import shaped_rewards as shaped_rewards
    from .weights import advantage_weights as advantage_weights
    from .weights import rabc_weights as rabc_weights

__getattr__, __all__ = lazy_exports(
    __name__,
    {
        'calibration': ('Calibration', 'LengthBias', 'Scale'),
        'fit_scale': ('Attempt', 'length_bias', 'make_scale'),
        'live': ('LiveReward', 'RewardOptions', 'Step'),
        'metrics': ('bootstrap', 'roc_auc', 'value_order_correlation'),
        'progress': ('NORMALIZATIONS', 'make_normalization', 'min_max'),
        'success': ('Scene', 'Success', 'SuccessDetector'),
        'values': ('dense_rewards', 'differences', 'discounted_values', 'shaped_rewards'),
        'weights': ('advantage_weights', 'rabc_weights'),
    },
)
