# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Open recordings with labels: success or failure, and the true progress where it is known.

Sources are a folder with curves.json (below), a folder with subfolders success and failure, a
LeRobot dataset, a bag, and everything else that `sources.py` reads.

    {"clips": [{"file": "a.mp4", "task": "Put the block into the cup.", "success": true,
                "ground_truth": [0.0, ..., 1.0], "topreward": [...], "gvl": [...]}]}

Only file and task are required. ground_truth and every other list of numbers are values at evenly
spaced times from the clip's beginning to its end; the others are published curves, by method.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .clip import ClipError
from .clip_source import open_one
from .recording import NO_TASK, Recording
from .source_options import SourceOptions
from .sources import open_source
from .suffixes import FILE_SUFFIXES

MANIFEST = 'curves.json'
TRUTH = 'ground_truth'
LABELS = {'success': True, 'successes': True, 'failure': False, 'failures': False}


def open_recordings(
    texts: Sequence[str], options: SourceOptions, is_success: bool | None = None
) -> list[Recording]:
    """Return all recordings of these sources; is_success labels those without a label.

    Raises ClipError for a source that cannot be read, where no recording is found, for two
    recordings of the same name, and for a recording without a task.
    """
    recordings = [recording for text in texts for recording in _open(text, options, is_success)]
    if not recordings:
        raise ClipError(f'no recording found in {", ".join(texts)}')
    names = [recording.name for recording in recordings]
    if duplicates := {name for name in names if names.count(name) > 1}:
        raise ClipError(f'two recordings are named {min(duplicates)}: rename one of them')
    for recording in recordings:
        if not recording.task:
            raise ClipError(f'{recording.name}: {NO_TASK}')
    return recordings


def _open(text: str, options: SourceOptions, is_success: bool | None) -> Iterator[Recording]:
    folder = Path(text).expanduser()
    if (folder / MANIFEST).is_file():
        yield from _from_manifest(folder, options)
        return
    labelled = [sub for sub in sorted(folder.glob('*/')) if sub.name in LABELS]
    if not labelled:
        yield from _labelled(text, options, is_success)
    for sub in labelled:
        entries = [file for file in sub.iterdir() if file.suffix.lower() in FILE_SUFFIXES]
        folders = [each for each in sub.iterdir() if each.is_dir() and each.name[0] != '.']
        for entry in sorted([*entries, *folders]):
            for recording in _labelled(str(entry), options, LABELS[sub.name]):
                yield dataclasses.replace(recording, name=f'{sub.name}/{recording.name}')


def _labelled(text: str, options: SourceOptions, is_success: bool | None) -> list[Recording]:
    return [
        recording
        if recording.is_success is not None
        else dataclasses.replace(recording, is_success=is_success)
        for recording in open_source(text, options).recordings
    ]


def _from_manifest(folder: Path, options: SourceOptions) -> Iterator[Recording]:
    file = folder / MANIFEST
    try:
        clips = json.loads(file.read_text(encoding='utf-8'))['clips']
        entries = [(str(clip['file']), str(clip['task']), dict(clip)) for clip in clips]
    except (ValueError, KeyError, TypeError) as error:
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
        yield Recording(stem, clip, options.task or task, label, truth, published, origin)


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
