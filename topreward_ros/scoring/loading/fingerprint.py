# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The identity of a checkpoint, independent of where its files are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..score import Identity
from .adapter import FILE_CONFIG
from .checkpoint import Checkpoint
from .hub import folder_of

CONFIGURATIONS = (
    'config.json',
    'tokenizer.json',
    'preprocessor_config.json',
    'video_preprocessor_config.json',
    FILE_CONFIG,
)
END_SIZE = 512  # hashed at either end of a tensor [bytes]


def identity_of(checkpoint: Checkpoint, layout: str) -> Identity:
    """Return the identity of a loaded model; `layout` names its prompt and pixel budget."""
    folders = [checkpoint.folder]
    if checkpoint.options.adapter is not None:
        adapter = folder_of(checkpoint.options.adapter)
        # itself, or a folder of several
        folders += [adapter, *sorted(file.parent for file in adapter.glob(f'*/{FILE_CONFIG}'))]
    return Identity(checkpoint.name, _fingerprint(folders), layout, checkpoint.weights)


def _fingerprint(folders: Sequence[Path]) -> str:
    """Hash configurations, tokenizer and weights; of each tensor only both ends, to be fast."""
    digest = hashlib.sha256()
    for folder in folders:
        for name in CONFIGURATIONS:
            if (folder / name).is_file():
                digest.update(name.encode() + (folder / name).read_bytes())
        for file in sorted(folder.glob('*.safetensors')):
            for piece in _ends(file):
                digest.update(piece)
    return digest.hexdigest()[:16]


def _ends(file: Path) -> Iterator[bytes]:
    """Yield the header of a safetensors file, and both ends of each of its tensors."""
    with file.open('rb') as stream:
        size = int.from_bytes(stream.read(8), 'little')
        header = stream.read(size)
        yield header
        tensors = json.loads(header)
        for name in sorted(tensors):
            if name == '__metadata__':
                continue
            start, stop = (8 + size + offset for offset in tensors[name]['data_offsets'])
            for begin in (start, max(start, stop - END_SIZE)):
                stream.seek(begin)
                yield stream.read(min(END_SIZE, stop - begin))
