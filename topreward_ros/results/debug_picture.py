# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A camera's picture with what was scored below it: task, progress bar and judgement."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from .lettering import draw, measured, wrapped
from .plot import COLOR_GRID, COLOR_PROGRESS, COLOR_SUCCESS, COLOR_TEXT

COLOR_BACKGROUND = '#ffffff'
MOST, LEAST = 1280, 320  # of a side of the picture, and of the whole's width [px]
TASK_LINES = 2
LINE = 1.4  # from one line to the next, in sizes of their letters
_lines = functools.lru_cache(maxsize=64)(wrapped)  # the same in each picture of an episode


@dataclass(frozen=True)
class Judgement:
    """What is drawn; progress is in [0, 1], NaN while it is unknown."""

    task: str
    progress: float
    note: str
    is_success: bool = False


def debug_picture(image: np.ndarray, judgement: Judgement) -> np.ndarray:
    """Return a picture, uint8 RGB (H, W, 3), with a strip of letters below it.

    It keeps its size, unless it is longer than MOST; the whole is at least LEAST wide.
    """
    picture = _shrunk(Image.fromarray(image))
    width = max(picture.width, LEAST)
    strip = _strip(width, judgement)
    whole = Image.new('RGB', (width, picture.height + strip.height), COLOR_BACKGROUND)
    whole.paste(picture, ((width - picture.width) // 2, 0))
    whole.paste(strip, (0, picture.height))
    return np.asarray(whole)


def _shrunk(picture: Image.Image) -> Image.Image:
    share = MOST / max(picture.size)
    if share >= 1:
        return picture
    size = max(1, round(picture.width * share)), max(1, round(picture.height * share))
    return picture.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)


def _strip(width: int, judgement: Judgement) -> Image.Image:
    size = max(14, width // 40)  # of letters
    margin, line = size // 2, round(LINE * size)
    tasks = _lines(judgement.task, size, width - 2 * margin, TASK_LINES)
    notes = _lines(judgement.note, size, width - 2 * margin)
    strip = Image.new(
        'RGB', (width, 2 * margin + line * (len(tasks) + 1 + len(notes))), COLOR_BACKGROUND
    )
    pen = ImageDraw.Draw(strip)
    color = COLOR_SUCCESS if judgement.is_success else COLOR_PROGRESS
    for k, text in enumerate(tasks):
        draw(pen, (margin, margin + k * line), text, size, COLOR_TEXT)
    top = margin + len(tasks) * line
    middle = top + (line - size) // 2
    _draw_bar(pen, (margin, middle, width - margin, middle + size), judgement.progress, color)
    for text in notes:
        note_color = color if judgement.is_success else COLOR_TEXT
        draw(pen, (margin, top + line), text, size, note_color)
    return strip


def _draw_bar(
    pen: ImageDraw.ImageDraw, box: tuple[int, int, int, int], progress: float, color: str
) -> None:
    """Draw progress into a box (left, top, right, bottom) [px], with its number on the right."""
    left, top, right, bottom = box
    size = bottom - top
    end = right - round(measured('100 %', size)) - size // 2
    pen.rectangle((left, top, end, bottom), fill=COLOR_GRID)
    if math.isnan(progress):
        draw(pen, (end + size // 2, top), '–', size, COLOR_TEXT)
        return
    share = min(max(progress, 0.0), 1.0)
    if share:
        pen.rectangle((left, top, left + share * (end - left), bottom), fill=color)
    draw(pen, (end + size // 2, top), f'{100 * share:.0f} %', size, color)
