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
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .clip import ClipError, broken_clip
from .clip_source import open_one
from .recording import BAD_RECORDING, NO_TASK, Recording, safe_name
from .source_options import SourceOptions
from .sources import open_source, source_name
from .suffixes import FILE_SUFFIXES, is_hidden

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
    recordings = _distinct(
        [(text, each) for text in texts for each in _open(text, options, is_success)]
    )
    if not recordings:
        raise ClipError(f'no recording found in {", ".join(texts)}')
    broken = [each.clip.broken for each in recordings if each.clip.broken]
    if len(broken) == len(recordings):
        raise broken[0]
    names = [recording.name for recording in recordings]
    if duplicates := {name for name in names if names.count(name) > 1}:
        raise ClipError(f'two recordings are named {min(duplicates)}: rename one of them')
    for recording in recordings:
        if not recording.task and not recording.clip.broken:
            raise ClipError(f'{recording.name}: {NO_TASK}')
    return recordings


def _distinct(opened: Sequence[tuple[str, Recording]]) -> list[Recording]:
    """Return the recordings, those of one name with their source's before it."""
    counts = Counter(each.name for _, each in opened)
    return [
        each
        if counts[each.name] == 1
        else dataclasses.replace(each, name=f'{source_name(text)}/{each.name}')
        for text, each in opened
    ]


def _open(text: str, options: SourceOptions, is_success: bool | None) -> Iterator[Recording]:
    folder = Path(text).expanduser()
    if (folder / MANIFEST).is_file():
        yield from _from_manifest(folder, options)
        return
    labelled = [sub for sub in sorted(folder.glob('*/')) if sub.name in LABELS]
    if not labelled:
        yield from _labelled(text, options, is_success)
    for sub in labelled:
        content = [each for each in sub.iterdir() if not is_hidden(each)]
        entries = [
            each
            for each in content
            if Path(each.name.removesuffix('.zstd')).suffix.lower() in FILE_SUFFIXES
        ]
        folders = [each for each in content if each.is_dir()]
        for entry in sorted([*entries, *folders]):
            try:
                opened = _labelled(str(entry), options, LABELS[sub.name])
            except BAD_RECORDING as error:
                opened = [_broken(safe_name(entry.name), options.task, error)]
            for recording in opened:
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
        clips = json.loads(file.read_text(encoding='utf-8-sig'))['clips']
        entries = [(str(clip['file']), str(clip['task']), dict(clip)) for clip in clips]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
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
        stem = safe_name(str(Path(name).with_suffix('')))
        try:
            clip, origin = open_one(folder / name, options)
        except BAD_RECORDING as error:
            yield _broken(stem, options.task or task, error)
            continue
        yield Recording(stem, clip, options.task or task, label, truth, published, origin)


def _broken(name: str, task: str, error: Exception) -> Recording:
    """Return a recording that raises when it is read, so that it does not end the others."""
    return Recording(name, broken_clip(name, error), task)


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
