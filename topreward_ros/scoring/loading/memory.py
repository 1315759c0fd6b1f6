# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Memory in use, for logs and diagnostics."""

from __future__ import annotations

import gc
import resource
import sys
from typing import Any


def memory_in_use() -> tuple[int, str]:
    """Return bytes in use and where: on the GPU if torch uses one, else of the process."""
    torch = _torch()
    if torch is not None and torch.cuda.is_initialized():
        devices = range(torch.cuda.device_count())
        return sum(map(torch.cuda.memory_allocated, devices)), 'on the GPU'
    try:
        with open('/proc/self/statm', encoding='ascii') as file:
            return int(file.read().split()[1]) * resource.getpagesize(), 'resident'
    except OSError:  # no /proc: the peak is the only figure available
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == 'darwin' else peak * 1024, 'resident at most'


def release_memory() -> None:
    """Release memory that is no longer referenced."""
    gc.collect()
    torch = _torch()
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def _torch() -> Any:
    """Return torch if it is imported; before that no device memory is in use.

    A module that another thread is still importing is not used.
    """
    module = sys.modules.get('torch')
    is_importing = getattr(getattr(module, '__spec__', None), '_initializing', False)
    return None if is_importing else module
