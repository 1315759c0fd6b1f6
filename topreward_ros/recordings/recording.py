# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One episode of a source: what was seen, what was asked for, and what is known of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from topreward_ros.errors import TopRewardError

from .clip import Clip

# What a bad recording raises; anything else is a bug of the program.
BAD_RECORDING = (TopRewardError, OSError)
NO_TASK = 'it does not say its task: give it in words, --task "Put the block into the cup."'


@dataclass(frozen=True)
class Recording:
    """A clip with its task; name is also the folder of what is written about it.

    is_success is None where nobody says. truth is the progress at evenly spaced times from the
    clip's beginning to its end, published what others say it is, by their method's name. origin
    tells one recording from another of the same name.
    """

    name: str
    clip: Clip
    task: str
    is_success: bool | None = None
    truth: np.ndarray | None = None
    published: Mapping[str, np.ndarray] = field(default_factory=dict)
    origin: Mapping[str, Any] = field(default_factory=dict)


class Source(Protocol):
    """An opened source of recordings."""

    @property
    def name(self) -> str: ...

    @property
    def recordings(self) -> Sequence[Recording]: ...

    @property
    def warnings(self) -> Sequence[str]:
        """What a user should know of how it was read so far."""
        ...

    def release(self) -> None:
        """Keep no file open until it is read again."""
        ...

    def close(self) -> None:
        """Close everything; its recordings cannot be read afterwards."""
        ...


def clip_notes(recordings: Iterable[Recording]) -> list[str]:
    """What a user should know of how these clips are read, each note once."""
    return list(dict.fromkeys(each.clip.note for each in recordings if each.clip.note))


def state_of(path: Path) -> dict[str, Any]:
    """What changes when the file, or a file of the folder, is another one."""
    files = [path] if path.is_file() else [file for file in path.iterdir() if file.is_file()]
    stats = [file.stat() for file in files]
    newest = max((stat.st_mtime_ns for stat in stats), default=0)
    return {'files': len(files), 'bytes': sum(s.st_size for s in stats), 'modified': newest}


def digest(values: Mapping[str, Any]) -> str:
    """The same for the same values of plain types."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]
