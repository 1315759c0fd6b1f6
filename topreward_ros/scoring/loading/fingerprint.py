# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The identity of a checkpoint, wherever its copy lies."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..score import Identity
from .checkpoint import Checkpoint
from .hub import folder_of

CONFIGURATIONS = (
    'config.json',
    'tokenizer.json',
    'preprocessor_config.json',
    'video_preprocessor_config.json',
    'adapter_config.json',
)
END = 512  # of a tensor [bytes]


def identity_of(checkpoint: Checkpoint, layout: str) -> Identity:
    """The identity of a loaded model whose prompt, and budget of pixels, are called `layout`."""
    folders = [checkpoint.folder]
    if checkpoint.options.adapter is not None:
        folders.append(folder_of(checkpoint.options.adapter))
    weights = str(next(checkpoint.model.parameters()).dtype).removeprefix('torch.')
    if not checkpoint.is_plain:
        weights = f'quantised beside {weights}'
    return Identity(checkpoint.name, _fingerprint(folders), layout, weights)


def _fingerprint(folders: Sequence[Path]) -> str:
    """Of configurations, the tokenizer and the weights; of each tensor its two ends, so that it
    takes no time.
    """
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
    """The header of a safetensors file, and both ends of each of its tensors."""
    with file.open('rb') as stream:
        size = int.from_bytes(stream.read(8), 'little')
        header = stream.read(size)
        yield header
        tensors = json.loads(header)
        for name in sorted(tensors):
            if name == '__metadata__':
                continue
            start, stop = (8 + size + offset for offset in tensors[name]['data_offsets'])
            for begin in (start, max(start, stop - END)):
                stream.seek(begin)
                yield stream.read(min(END, stop - begin))
