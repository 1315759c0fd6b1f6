# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Memory in use, for logs and diagnostics, and what to do where there is none left."""

from __future__ import annotations

import gc
import logging
import resource
import sys
from collections.abc import Callable
from typing import Any, TypeVar

from topreward_ros.errors import reason_of

LOGGER = logging.getLogger(__name__)
T = TypeVar('T')


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
    """Release memory that is no longer referenced; never raises."""
    try:
        was_frozen = gc.get_freeze_count() > 0
        gc.unfreeze()
        gc.collect()
        if was_frozen:
            gc.freeze()
        torch = _torch()
        if torch is not None and torch.cuda.is_initialized():
            torch.cuda.empty_cache()
    except BaseException:  # of a device that is lost, for example
        LOGGER.exception('memory could not be released')


def freeze_garbage_collection() -> None:
    """Leave out of later collections what is in memory now, as nearly all of it stays.

    With torch and transformers imported, a full collection stops all threads for a third of a
    second. `release_memory` looks at everything again.
    """
    gc.collect()
    gc.freeze()


def with_memory(call: Callable[[], T]) -> T:
    """Return the call's result; without free memory, release what is only cached and try again."""
    try:
        return call()
    except BaseException as error:
        if not is_out_of_memory(error):
            raise
        LOGGER.warning('%s; trying again with the memory of caches', reason_of(error))
    release_memory()
    return call()


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error is that of a device, or the process, without free memory."""
    torch = _torch()
    if isinstance(error, MemoryError):
        return True
    if torch is not None and isinstance(error, torch.cuda.OutOfMemoryError):
        return True
    # Of cuBLAS, and of backends without an error of their own
    marks = ('out of memory', 'ALLOC_FAILED')
    return isinstance(error, RuntimeError) and any(mark in str(error) for mark in marks)


def _torch() -> Any:
    """Return torch if it is imported; before that no device memory is in use.

    A module that another thread is still importing is not used.
    """
    module = sys.modules.get('torch')
    is_importing = getattr(getattr(module, '__spec__', None), '_initializing', False)
    return None if is_importing else module
