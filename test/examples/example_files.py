# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The files of examples/, which are no package."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

EXAMPLES = Path(__file__).parents[2] / 'examples'


def load_example(name: str) -> ModuleType:
    """Return the module of a file in examples/."""
    spec = importlib.util.spec_from_file_location(f'example_{name}', EXAMPLES / f'{name}.py')
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
