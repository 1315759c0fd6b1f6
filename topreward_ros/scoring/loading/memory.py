# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Memory of the device, for logs and diagnostics."""

from __future__ import annotations

import gc
import resource
import sys
from typing import Any


def memory_in_use() -> tuple[int, str]:
    """Bytes in use and what they are: the GPU's where torch runs on one, else the process's."""
    torch = _torch()
    if torch is not None and torch.cuda.is_initialized():
        devices = range(torch.cuda.device_count())
        return sum(map(torch.cuda.memory_allocated, devices)), 'on the GPU'
    try:
        with open('/proc/self/statm', encoding='ascii') as file:
            return int(file.read().split()[1]) * resource.getpagesize(), 'resident'
    except OSError:  # no /proc: the most there ever was
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == 'darwin' else peak * 1024, 'resident at most'


def release_memory() -> None:
    """Give back what nothing refers to any more."""
    gc.collect()
    torch = _torch()
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def _torch() -> Any:
    """torch, once it is imported: before that there is no memory of a device.

    Another thread may be importing it at this moment; such a module is of no use yet.
    """
    module = sys.modules.get('torch')
    is_importing = getattr(getattr(module, '__spec__', None), '_initializing', False)
    return None if is_importing else module
