# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Open recordings with labels: success or failure, and the true progress where it is known.

Sources are a folder with subfolders success and failure, and everything that `sources.py` reads,
such as a folder with curves.json or a LeRobot dataset. annotated_keyframes.json beside videos is
their true progress. Published examples with the answers of a model beside them have their task.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from .clip import ClipError, add_note
from .keyframes import keyframe_progress, read_keyframes
from .published_answers import task_of_example
from .recording import BAD_RECORDING, NO_TASK, Recording, broken_recording, safe_name
from .source_options import SourceOptions
from .sources import FORMATS, format_of, open_source, source_name
from .suffixes import FILE_SUFFIXES, KEYFRAMES, is_hidden

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


def sources_of(texts: Sequence[str]) -> list[str]:
    """Return the sources, with those in the subfolders of a labelled folder instead of it."""
    return [entry for text in texts for entry, _ in _sources(text)]


def _open(text: str, options: SourceOptions, is_success: bool | None) -> Iterator[Recording]:
    for entry, label in _sources(text):
        try:
            opened = _labelled(entry, options, LABELS.get(label, is_success))
        except BAD_RECORDING as error:
            if not label:
                raise
            opened = [broken_recording(safe_name(Path(entry).name), options.task, error)]
        for recording in opened:
            name = recording.name
            if label:
                name = f'{label}/{name}'
            elif format_of(text) is FORMATS['curves']:
                name = name.removeprefix(f'{source_name(text)}/')
            yield dataclasses.replace(recording, name=name)


def _sources(text: str) -> list[tuple[str, str]]:
    """Return the sources in a folder's labelled subfolders, each with the subfolder's name.

    Any other source is returned itself, with an empty name.
    """
    subfolders = [sub for sub in sorted(Path(text).expanduser().glob('*/')) if sub.name in LABELS]
    if not subfolders or format_of(text) is FORMATS['curves']:
        return [(text, '')]
    sources = []
    for sub in subfolders:
        content = [each for each in sub.iterdir() if not is_hidden(each)]
        entries = [
            each
            for each in content
            if Path(each.name.removesuffix('.zstd')).suffix.lower() in FILE_SUFFIXES
        ]
        folders = [each for each in content if each.is_dir()]
        sources += [(str(entry), sub.name) for entry in sorted([*entries, *folders])]
    return sources


def _with_task(recording: Recording) -> Recording:
    """Return a published example with its task, which a note tells; any other as it is."""
    if recording.task or recording.file is None or recording.clip.broken:
        return recording
    task = task_of_example(recording.file)
    if task:
        add_note(recording.clip.notes, f'{recording.file.name}: its task as published is "{task}"')
    return dataclasses.replace(recording, task=task)


def _labelled(text: str, options: SourceOptions, is_success: bool | None) -> list[Recording]:
    recordings = [
        recording
        if recording.is_success is not None
        else dataclasses.replace(recording, is_success=is_success)
        for recording in map(_with_task, open_source(text, options).recordings)
    ]
    path = Path(text).expanduser()
    file = (path if path.is_dir() else path.parent) / KEYFRAMES
    if format_of(text) not in (FORMATS['videos'], FORMATS['clips']) or not file.is_file():
        return recordings
    subtasks = read_keyframes(file)
    return [
        recording
        if recording.clip.broken
        else dataclasses.replace(
            recording, truth=keyframe_progress(subtasks, recording.clip, str(file))
        )
        for recording in recordings
    ]
