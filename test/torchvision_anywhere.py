# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Makes a torchvision that was built for CUDA importable next to a torch that was not.

What the processors use of it is Python; only its compiled operators are missing, and importing it
fails where it registers shapes for them. Their names are declared first.
"""

from __future__ import annotations

import importlib.util
import sys

import torch

_declared: torch.library.Library | None = None


def install() -> None:
    """Do so before transformers is imported; nothing where torchvision is not installed."""
    global _declared  # noqa: PLW0603 - a declaration lasts as long as this object
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
