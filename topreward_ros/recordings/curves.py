# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A folder of clips with curves.json, which has their tasks, labels and curves.

    {"clips": [{"file": "a.mp4", "task": "Put the block into the cup.", "success": true,
                "ground_truth": [0.0, ..., 1.0], "topreward": [...], "gvl": [...]}]}

Only file and task are required. ground_truth and every other list of numbers are values at evenly
spaced times from the clip's beginning to its end; the others are published curves, by method.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .clip import ClipError
from .clip_source import ClipSource, open_one
from .json_files import read_json
from .recording import Recording
from .source_options import SourceOptions
from .suffixes import MANIFEST

TRUTH = 'ground_truth'


def open_curves(text: str, name: str, options: SourceOptions) -> ClipSource:
    """Open the clips that curves.json lists; raises ClipError."""
    folder = Path(text).expanduser()
    return ClipSource(name, tuple(_recordings(folder, name, options)))


def _recordings(folder: Path, source: str, options: SourceOptions) -> Iterator[Recording]:
    file = folder / MANIFEST
    try:
        content: Any = read_json(file)
        entries = [(str(each['file']), str(each['task']), dict(each)) for each in content['clips']]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ClipError(
            f'{file} is not as expected ({error!r}): {{"clips": [{{"file": ..., "task": ...}}]}}'
        ) from error
    for name, task, entry in entries:
        if Path(name).is_absolute() or '..' in Path(name).parts:
            raise ClipError(f'{file} names {name}: expected a file below its folder')
        truth = _curve(file, TRUTH, entry)
        published = {
            key: values
            for key in entry
            if key != TRUTH and (values := _curve(file, key, entry)) is not None
        }
        label = entry.get('success')
        if label is not None and not isinstance(label, bool):
            raise ClipError(f'success in {file} is {label!r}; expected true or false')
        clip, origin = open_one(folder / name, options)
        stem = str(Path(name).with_suffix(''))
        asked = options.task or task
        yield Recording(f'{source}/{stem}', clip, asked, label, truth, published, origin)


def _curve(file: Path, key: str, entry: dict[str, Any]) -> np.ndarray | None:
    values = entry.get(key)
    if not isinstance(values, list) or not any(isinstance(v, int | float) for v in values):
        return None
    try:
        curve = np.array(values, dtype=np.float64)
    except (ValueError, TypeError):
        curve = np.empty(0)
    if curve.ndim != 1 or len(curve) < 2 or not np.isfinite(curve).all():
        raise ClipError(f'{file}: {key} of {entry["file"]} is not a list of numbers')
    return curve
