# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Names of the weights in a folder, read from the files' headers; imports no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from topreward_ros.errors import ModelError, one_line

from .model_files import read_config

ROBOMETER_HEADS = ('progress_head', 'success_head')


def weight_names(folder: Path) -> list[tuple[Path, str]]:
    """Return all safetensors files and the names in them; ModelError for a damaged one."""
    from safetensors import safe_open

    names: list[tuple[Path, str]] = []
    for file in sorted(folder.glob('*.safetensors')):
        try:
            content: Any
            with safe_open(file, 'numpy') as content:
                names += [(file, name) for name in content.keys()]  # noqa: SIM118  no mapping
        except Exception as error:  # the library's own kind
            raise ModelError(f'{file} is damaged: {one_line(error)}') from error
    return names


def is_robometer(folder: Path) -> bool:
    """Whether a folder holds a Robometer, as its authors publish it or as LeRobot saves it."""
    if read_config(folder).get('type') == 'robometer':
        return True
    try:
        return any(name.startswith(ROBOMETER_HEADS) for _, name in weight_names(folder))
    except ModelError:  # told by whatever loads it
        return False
