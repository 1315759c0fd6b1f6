# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Read a folder of images as a clip, and an image file as an array."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image, ImageOps

from topreward_ros.scoring.loading.hub import first_line

from .clip import Clip, ClipError, paced
from .suffixes import IMAGE_SUFFIXES

DEFAULT_FPS = 30.0


def open_folder(path: Path, fps: float) -> Clip:
    """Return the images as a clip, ordered by the numbers in their names, at fps images a second.

    fps 0 means 30, and the clip's note says so. Raises ClipError for an empty folder; a broken
    image raises it when it is read.
    """
    names = (file for file in path.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES)
    files = sorted(names, key=lambda file: _by_number(file.name))
    if not files:
        raise ClipError(f'{path} holds no images ({", ".join(IMAGE_SUFFIXES)})')
    rate = fps or DEFAULT_FPS
    note = f'{path.name}: a folder of images has no frame rate, so {rate:g} fps is assumed'

    def images() -> Iterator[np.ndarray]:
        for file in files:
            yield read_image(file, str(file))

    return Clip(
        name=path.name,
        fps=rate,
        seconds=len(files) / rate,
        frames=lambda: paced(images(), rate),
        note='' if fps else note,
    )


def read_image(file: Path | IO[bytes], name: str) -> np.ndarray:
    """Return uint8 RGB (H, W, 3), rotated by its EXIF tag; raises ClipError unless in color."""
    try:
        with Image.open(file) as image:
            if image.mode in ('I', 'F') or image.mode.startswith('I;'):
                raise ClipError(f'{name} is of mode {image.mode}, not a color image')
            return np.asarray(ImageOps.exif_transpose(image).convert('RGB'))
    except ClipError:
        raise
    except Exception as error:  # Pillow's decoders raise nearly everything on broken data
        raise ClipError(f'{name} cannot be read: {first_line(error)}') from error


def _by_number(name: str) -> list[tuple[int, str]]:
    """Return a sort key that puts frame_2 before frame_10."""
    parts = re.split(r'(\d+)', name)
    return [(int(part), part) if part.isdecimal() else (0, part) for part in parts]
