# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Package exports that are imported on first use."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def lazy_exports(
    package: str, exports: Mapping[str, Sequence[str]]
) -> tuple[Callable[[str], Any], list[str]]:
    """Return a package's `__getattr__` and `__all__`; exports maps its modules to their names."""
    modules = {name: module for module, names in exports.items() for name in names}

    def get(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f'module {package!r} has no attribute {name!r}')
        value = getattr(importlib.import_module(f'{package}.{modules[name]}'), name)
        setattr(sys.modules[package], name, value)
        return value

    return get, sorted(modules)
