# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The formats of recordings: one entry each, tried in order and imported when used.

To add a format, write a function that opens it and returns a `Source`, and register it here with a
function that recognises it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .clip import ClipError
from .recording import Source, safe_name
from .source_options import CHOICES, SourceOptions
from .suffixes import (
    BAG_SUFFIXES,
    IMAGE_SUFFIXES,
    MANIFEST,
    RAW_VIDEO_SUFFIXES,
    VIDEO_SUFFIXES,
    is_hidden,
)

OpenSource = Callable[[str, str, SourceOptions], Source]


@dataclass(frozen=True)
class Format:
    """A format of recordings.

    recognises takes the user's text, and the same as a path. opener takes the user's text, the
    source's name and the options; as a string it is "module:function". is_a says what a source is,
    and reads which of `source_options.CHOICES` have an effect on it.
    """

    recognises: Callable[[str, Path], bool]
    opener: str | OpenSource
    is_a: str
    reads: frozenset[str] = frozenset()

    def open(self, text: str, name: str, options: SourceOptions) -> Source:
        """Open the source; raises ClipError or a subclass."""
        if not isinstance(self.opener, str):
            return self.opener(text, name, options)
        module, _, function = self.opener.partition(':')
        opener: OpenSource = getattr(importlib.import_module(module), function)
        return opener(text, name, options)


def _is_dataset(text: str, path: Path) -> bool:
    if path.exists():
        return (path / 'meta' / 'info.json').is_file()
    is_id = text.count('/') == 1 and not text.startswith(('.', '~', '/'))
    # A mistyped path must not cause a request to the hub
    is_file = path.suffix.lower() in (*VIDEO_SUFFIXES, *BAG_SUFFIXES, *IMAGE_SUFFIXES)
    return is_id and not is_file and not path.parent.exists()


def _is_bag(_text: str, path: Path) -> bool:
    if not path.is_dir():
        return path.name.removesuffix('.zstd').endswith((*BAG_SUFFIXES, '.bag'))
    names = [file.name for file in path.iterdir() if not is_hidden(file)]
    if any(name.removesuffix('.zstd').endswith(BAG_SUFFIXES) for name in names):
        return True
    metadata = path / 'metadata.yaml'  # whose files may be lost; other formats have one, too
    return metadata.is_file() and b'rosbag2_bagfile_information' in metadata.read_bytes()


def _is_timed(_text: str, path: Path) -> bool:
    """Return whether a path is a video that has times, or a folder of such videos."""
    from .clip_source import videos_in

    files = videos_in(path) if path.is_dir() else [path]
    suffixes = {file.suffix.lower() for file in files} & set(VIDEO_SUFFIXES)
    return bool(suffixes) and not suffixes & set(RAW_VIDEO_SUFFIXES)


FORMATS: dict[str, Format] = {
    'lerobot': Format(
        _is_dataset,
        'topreward_ros.recordings.lerobot.source:open_dataset_source',
        'a LeRobot dataset',
        frozenset({'camera', 'episodes'}),
    ),
    'curves': Format(
        lambda _, path: (path / MANIFEST).is_file(),
        'topreward_ros.recordings.curves:open_curves',
        'a folder with curves.json',
        frozenset({'folder_fps'}),
    ),
    'bag': Format(
        _is_bag,
        'topreward_ros.recordings.bags.source:open_bag',
        'a bag',
        frozenset({'image_topic', 'spans', 'max_gap'}),
    ),
    'videos': Format(
        _is_timed, 'topreward_ros.recordings.clip_source:open_clips', 'a video or a folder of such'
    ),
    'clips': Format(
        lambda *_: True,
        'topreward_ros.recordings.clip_source:open_clips',
        'a folder of images, or raw video',
        frozenset({'folder_fps'}),
    ),
}


def source_name(text: str) -> str:
    """Return the name of the source, which is also the folder of its results."""
    path = Path(text).expanduser().resolve()
    return safe_name(path.name if path.is_dir() or not path.exists() else path.stem)


def open_source(text: str, options: SourceOptions | None = None) -> Source:
    """Open a path, or the id of a dataset on the Hugging Face hub.

    Raises ClipError or a subclass, with what to do, for a source that does not exist or cannot be
    read.
    """
    if not text.strip():
        raise ClipError('the source is empty: expected a path, or owner/name on the hub')
    return format_of(text).open(text, source_name(text), options or SourceOptions())


def format_of(text: str) -> Format:
    """Return the format of a source, by its name and the names in it."""
    path = Path(text).expanduser()
    return next(each for each in FORMATS.values() if each.recognises(text, path))


def check_options(texts: Sequence[str], options: SourceOptions) -> list[str]:
    """Return a note for each choice that has no effect on some of the sources.

    Raises ClipError for one that has no effect on any. Sources that do not exist are passed over:
    opening them tells it.
    """
    formats = {text: format_of(text) for text in texts}
    known = {
        text: each
        for text, each in formats.items()
        if each is FORMATS['lerobot'] or Path(text).expanduser().exists()
    }
    notes = []
    for field, flag in options.given().items():
        others = {text: each for text, each in known.items() if field not in each.reads}
        if others:
            note = _no_effect(field, flag, *next(iter(others.items())))
            if len(others) == len(formats):
                raise ClipError(note)
            notes.append(note)
    return notes


def _no_effect(field: str, flag: str, text: str, own: Format) -> str:
    readers = ' or '.join(each.is_a for each in FORMATS.values() if field in each.reads)
    option = flag.split(maxsplit=1)[0]
    fitting = [other for name, other in CHOICES.items() if name in own.reads]
    instead = next((f': give {other}' for other in fitting if other.split()[0] == option), '')
    return f'{flag} is for {readers}, and {text} is {own.is_a}{instead}'
