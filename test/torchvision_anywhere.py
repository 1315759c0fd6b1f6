# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Makes a torchvision built for CUDA importable beside a torch built without.

The processors use its Python code only. Its import fails where it registers shapes of compiled
operators, which are missing, so their names are declared first.
"""

from __future__ import annotations

import importlib.util
import sys

import torch

_declared: torch.library.Library | None = None


def install() -> None:
    """Call this before transformers is imported; does nothing without torchvision."""
    global _declared  # noqa: PLW0603 - the declaration exists as long as this object
    if importlib.util.find_spec('torchvision') is None:
        return
    try:
        import torchvision
    except RuntimeError:
        for name in [name for name in sys.modules if name.partition('.')[0] == 'torchvision']:
            del sys.modules[name]
        _declared = torch.library.Library('torchvision', 'FRAGMENT')
        for operator in ('nms', 'qnms'):
            _declared.define(f'{operator}(Tensor dets, Tensor scores, float threshold) -> Tensor')
        import torchvision  # noqa: F401
