# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A recording: one episode of a source, with its clip, its task and its labels."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from topreward_ros.errors import TopRewardError

from .clip import Clip, broken_clip
from .suffixes import is_hidden

# Raised by bad recordings; anything else is a bug of the program
BAD_RECORDING = (TopRewardError, OSError)
# Control characters, such as a newline, and bytes of names that are not UTF-8
UNPRINTABLE = re.compile(r'[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]')
NO_TASK = 'it has no task: set one with --task "Put the block into the cup."'


@dataclass(frozen=True)
class Recording:
    """A clip with its task; name is also the folder of its results.

    is_success is None where it is unknown. truth is the true progress at evenly spaced times from
    the clip's beginning to its end; published are published progress curves, by method. origin
    identifies the recording among others of the same name. file is the video that it is read from;
    None where it has no file of its own.
    """

    name: str
    clip: Clip
    task: str
    is_success: bool | None = None
    truth: np.ndarray | None = None
    published: Mapping[str, np.ndarray] = field(default_factory=dict)
    origin: Mapping[str, Any] = field(default_factory=dict)
    file: Path | None = None


class Source(Protocol):
    """An opened source of recordings."""

    @property
    def name(self) -> str: ...

    @property
    def recordings(self) -> Sequence[Recording]: ...

    @property
    def warnings(self) -> Sequence[str]:
        """What a user should know about how it was read so far."""
        ...

    def release(self) -> None:
        """Close the files until the next read."""
        ...

    def close(self) -> None:
        """Close the source for good; its recordings cannot be read afterwards."""
        ...


def safe_name(name: str) -> str:
    """Return the name of a file as one that prints and can be written in UTF-8."""
    return UNPRINTABLE.sub('_', name)


def folded(task: str) -> str:
    """Return the task without differences in case, periods and spaces."""
    return ' '.join(task.casefold().replace('.', ' ').split())


def broken_recording(name: str, task: str, error: Exception) -> Recording:
    """Return a recording that raises when it is read, so that it does not end the others."""
    return Recording(name, broken_clip(name, error), task)


def clip_notes(recordings: Iterable[Recording]) -> list[str]:
    """Return the notes of these clips, each once."""
    return list(dict.fromkeys(note for each in recordings for note in each.clip.notes))


def state_of(path: Path) -> dict[str, Any]:
    """Return facts that change when the file, or a file of the folder, is replaced."""
    entries = [path] if path.is_file() else [each for each in path.iterdir() if not is_hidden(each)]
    files = [file for file in entries if file.is_file()]
    stats = [file.stat() for file in files]
    newest = max((stat.st_mtime_ns for stat in stats), default=0)
    return {'files': len(files), 'bytes': sum(s.st_size for s in stats), 'modified': newest}


def digest(values: Mapping[str, Any]) -> str:
    """Return a hash of values of plain types."""
    text = json.dumps(values, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
