# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures in files and compressed messages, such as JPEG and PNG: one rule for both."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from topreward_ros.errors import FrameError, first_line

MAX_PIXELS = 100_000_000
# What is damaged is an error, or does not matter to the picture
warnings.filterwarnings('ignore', module='PIL')
FORMATS = ('BMP', 'GIF', 'JPEG', 'JPEG2000', 'PNG', 'PPM', 'TGA', 'TIFF', 'WEBP')


def read_picture(file: Path | IO[bytes], name: str) -> np.ndarray:
    """Return uint8 RGB (H, W, 3), upright by its EXIF tag; transparency is dropped.

    name is what the errors call it. Raises FrameError for other formats, damaged data, more than
    MAX_PIXELS, and grey values of more than 8 bits, which are depth or would be clipped.
    """
    try:
        with Image.open(file, formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise FrameError(
                    f'{name} has {image.width}x{image.height} pixels; expected at most {MAX_PIXELS}'
                )
            if image.mode in ('I', 'F') or image.mode.startswith('I;'):
                raise FrameError(
                    f'{name} is of mode {image.mode}, not a color image: grey values of more than '
                    '8 bits, such as depth'
                )
            image.load()
            return np.asarray(_upright(image).convert('RGB'))
    except FrameError:
        raise
    except UnidentifiedImageError as error:
        raise FrameError(f'{name} cannot be read: expected one of {", ".join(FORMATS)}') from error
    except Exception as error:  # Pillow's decoders raise nearly everything on broken data
        raise FrameError(f'{name} cannot be read: {first_line(error)}') from error


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # a damaged tag says nothing about the picture
        return image
