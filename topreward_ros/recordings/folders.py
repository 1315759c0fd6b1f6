# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A folder of images as a clip, and an image as an array."""

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

ASSUMED_FPS = 30.0


def open_folder(path: Path, fps: float) -> Clip:
    """The images in the order of the numbers in their names, fps of them a second (0: 30, which
    the clip notes).

    ClipError where there are none; one that cannot be read, when it is its turn.
    """
    names = (file for file in path.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES)
    files = sorted(names, key=lambda file: _by_number(file.name))
    if not files:
        raise ClipError(f'{path} holds no images ({", ".join(IMAGE_SUFFIXES)})')
    rate = fps or ASSUMED_FPS
    note = f'{path.name}: images do not say their rate, so {rate:g} a second is assumed'

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
    """uint8 RGB (H, W, 3), upright as its EXIF says; ClipError for what is no picture in colour."""
    try:
        with Image.open(file) as image:
            if image.mode in ('I', 'F') or image.mode.startswith('I;'):
                raise ClipError(f'{name} is of mode {image.mode}, not a picture in colour')
            return np.asarray(ImageOps.exif_transpose(image).convert('RGB'))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ClipError(f'{name} cannot be read: {first_line(error)}') from error


def _by_number(name: str) -> list[tuple[int, str]]:
    """frame_2 before frame_10."""
    parts = re.split(r'(\d+)', name)
    return [(int(part), part) if part.isdecimal() else (0, part) for part in parts]
