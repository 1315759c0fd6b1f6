# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Convolutions of float32 in float32: by default cuDNN rounds their inputs to 10 bits (TF32).

The vision tower of transformers begins with one, which moves scores by up to 6e-4 nat.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def full_precision() -> Iterator[None]:
    """Leave no convolution to TF32 in this block, as torch's settings are for the whole process."""
    cudnn: Any = torch.backends.cudnn
    exact: Any
    if hasattr(cudnn, 'conv'):  # torch 2.9
        owner, name, exact = cudnn.conv, 'fp32_precision', 'ieee'
    else:
        owner, name, exact = cudnn, 'allow_tf32', False
    before = getattr(owner, name)
    setattr(owner, name, exact)
    try:
        yield
    finally:
        setattr(owner, name, before)
