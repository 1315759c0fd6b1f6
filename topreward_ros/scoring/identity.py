# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What scores belong to: numbers of another model or another prompt do not compare."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .checkpoint import Checkpoint
from .hub import folder_of
from .prompt import LAYOUT
from .video import DEFAULT_MAX_PIXELS

CONFIGURATIONS = (
    'config.json',
    'tokenizer.json',
    'preprocessor_config.json',
    'video_preprocessor_config.json',
    'adapter_config.json',
)
END = 512  # of a tensor [bytes]


@dataclass(frozen=True)
class Identity:
    """The model as it was asked for, a fingerprint of its files, how it is shown a video, and in
    which numbers its weights are.

    An adapter is part of the model; the frames' budget of pixels is part of the layout.
    """

    model: str
    fingerprint: str
    layout: str
    weights: str


def identify(checkpoint: Checkpoint, max_pixels: int = DEFAULT_MAX_PIXELS) -> Identity:
    """Of a loaded model, wherever its copy lies, that is shown frames of at most so many pixels."""
    folders, name = [checkpoint.folder], checkpoint.name
    if checkpoint.adapter is not None:
        folders.append(folder_of(checkpoint.adapter))
        name = f'{name} with adapter {checkpoint.adapter}'
    layout = f'the processor of {checkpoint.family}'
    if checkpoint.streams:
        layout = f'{LAYOUT}, {checkpoint.geometry(max_pixels).max_pixels} pixels'
    weights = str(next(checkpoint.model.parameters()).dtype).removeprefix('torch.')
    if not checkpoint.is_plain:
        weights = f'quantised beside {weights}'
    return Identity(name, _fingerprint(folders), layout, weights)


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
