# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A folder of clips with curves.json, which has their tasks, labels and curves.

    {"clips": [{"file": "a.mp4", "task": "Put the block into the cup.", "success": true,
                "ground_truth": [0.0, ..., 1.0], "topreward": [...], "gvl": [...]}]}

Only file and task are required. ground_truth and every other list of numbers are values at evenly
spaced times from the clip's beginning to its end; the others are published curves, by method. An
entry may have "keyframes" instead of ground_truth: the name of a file of subtasks, or its content.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from topreward_ros.json_files import read_json

from .clip import Clip, ClipError
from .clip_source import ClipSource, open_one
from .folders import passed_over
from .keyframes import keyframe_progress, parse_keyframes, read_keyframes
from .recording import BAD_RECORDING, Recording, broken_recording, safe_name
from .source_options import SourceOptions
from .suffixes import MANIFEST

TRUTH, FRAMES = 'ground_truth', 'keyframes'


Entry = tuple[Path, str, dict[str, Any]]  # file below the folder, task, and all of the entry


def open_curves(text: str, name: str, options: SourceOptions) -> ClipSource:
    """Open the clips that curves.json lists; raises ClipError.

    A broken one is a recording that raises when it is read.
    """
    folder = Path(text).expanduser()
    file = folder / MANIFEST
    entries = _entries(file)
    recordings = tuple(_recording(file, name, entry, options) for entry in entries)
    listed = [folder / path.parts[0] for path, _, _ in entries]
    for recording in recordings[:1]:
        recording.clip.notes[:0] = passed_over(folder, [file, *listed])
    return ClipSource(name, recordings)


def _entries(file: Path) -> list[Entry]:
    try:
        content: Any = read_json(file)
        entries = [(Path(str(e['file'])), str(e['task']), dict(e)) for e in content['clips']]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ClipError(
            f'{file} is not as expected ({error!r}): {{"clips": [{{"file": ..., "task": ...}}]}}'
        ) from error
    for path, _, _ in entries:
        if not path.name or path.is_absolute() or '..' in path.parts:
            raise ClipError(f'{file} names {path}: expected a file below its folder')
    return entries


def _recording(file: Path, source: str, entry: Entry, options: SourceOptions) -> Recording:
    path, task, values = entry
    truth = _curve(file, TRUTH, values)
    published = {
        key: curve
        for key in values
        if key not in (TRUTH, FRAMES) and (curve := _curve(file, key, values)) is not None
    }
    label = values.get('success')
    if label is not None and not isinstance(label, bool):
        raise ClipError(f'success in {file} is {label!r}; expected true or false')
    name = f'{source}/{safe_name(str(path.with_suffix("")))}'
    task = options.task or task
    try:
        clip, origin = open_one(file.parent / path, options)
    except BAD_RECORDING as error:
        return broken_recording(name, task, error)
    if (keyframes := values.get(FRAMES)) is not None:
        if truth is not None:
            raise ClipError(f'{file}: {path} has {TRUTH} and {FRAMES}; expected one of them')
        truth = _keyframes(file, clip, keyframes)
    own = file.parent / path
    return Recording(
        name, clip, task, label, truth, published, origin, file=own if own.is_file() else None
    )


def _keyframes(file: Path, clip: Clip, keyframes: Any) -> np.ndarray:
    """Return the progress by the keyframes of an entry: a path below the folder, or subtasks."""
    if not isinstance(keyframes, str):
        name = f'{file}: {FRAMES} of {clip.name}'
        return keyframe_progress(parse_keyframes(keyframes, name), clip, name)
    path = Path(keyframes)
    if not path.name or path.is_absolute() or '..' in path.parts:
        raise ClipError(f'{file} names {path}: expected a file below its folder')
    own = file.parent / path
    return keyframe_progress(read_keyframes(own), clip, str(own))


def _curve(file: Path, key: str, entry: dict[str, Any]) -> np.ndarray | None:
    values = entry.get(key)
    if not isinstance(values, list) or not any(isinstance(v, int | float) for v in values):
        return None
    try:
        curve = np.array(values, dtype=np.float64)
    except (OverflowError, TypeError, ValueError):
        curve = np.empty(0)
    if curve.ndim != 1 or len(curve) < 2 or not np.isfinite(curve).all():
        raise ClipError(f'{file}: {key} of {entry["file"]} is not a list of numbers')
    return curve
