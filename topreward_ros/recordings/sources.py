# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The formats of recordings: one entry each, tried in order and imported when used.

To add a format, write a function that opens it and returns a `Source`, and register it here with a
function that recognises it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .clip import ClipError
from .recording import Source, safe_name
from .source_options import SourceOptions
from .suffixes import BAG_SUFFIXES, IMAGE_SUFFIXES, VIDEO_SUFFIXES

OpenSource = Callable[[str, str, SourceOptions], Source]


@dataclass(frozen=True)
class Format:
    """A format of recordings.

    recognises takes the user's text, and the same as a path. opener takes the user's text, the
    source's name and the options; as a string it is "module:function".
    """

    recognises: Callable[[str, Path], bool]
    opener: str | OpenSource

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
    names = [file.name for file in path.iterdir() if not file.name.startswith('.')]
    if any(name.removesuffix('.zstd').endswith(BAG_SUFFIXES) for name in names):
        return True
    metadata = path / 'metadata.yaml'  # whose files may be lost; other formats have one, too
    return metadata.is_file() and b'rosbag2_bagfile_information' in metadata.read_bytes()


FORMATS: dict[str, Format] = {
    'lerobot': Format(_is_dataset, 'topreward_ros.recordings.lerobot.source:open_dataset_source'),
    'bag': Format(_is_bag, 'topreward_ros.recordings.bags.source:open_bag'),
    'clips': Format(lambda *_: True, 'topreward_ros.recordings.clip_source:open_clips'),
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
    path = Path(text).expanduser()
    source_format = next(each for each in FORMATS.values() if each.recognises(text, path))
    return source_format.open(text, source_name(text), options or SourceOptions())
