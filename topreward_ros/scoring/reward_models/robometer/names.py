# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What both of Robometer's scorers tell of themselves, and how they fit pictures."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np

from ...engine.qwen3_vl import Engine
from ...loading.fingerprint import identity_of
from ...score import Identity, Scorer
from .layout import LAYOUT
from .loading import Robometer
from .pictures import picture_fitter


class RobometerNames(Scorer):
    """A scorer of a Robometer."""

    robometer: Robometer
    engine: Engine

    @cached_property
    def identity(self) -> Identity:
        layout = f'{LAYOUT}, {self.engine.geometry.max_pixels} pixels'
        return identity_of(self.robometer.checkpoint, layout)

    @property
    def reward_model(self) -> str:
        return 'robometer'

    def fitter(self, height: int, width: int) -> Callable[[np.ndarray], np.ndarray]:
        return picture_fitter(self.engine.geometry, height, width)
