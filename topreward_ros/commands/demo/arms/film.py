# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A film of a run: the camera's images with task, progress and success below."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from PIL import Image, ImageDraw

from topreward_ros.results.lettering import draw, measured, wrapped
from topreward_ros.results.plot import COLOR_GRID, COLOR_PROGRESS, COLOR_SUCCESS, COLOR_TEXT

from .attempts import Judgement

SIDE = 480  # of the images in the film [px]
STRIP = 108  # height of what is drawn below them [px]
MARGIN = 16  # [px]
TASK_SIZE, NOTE_SIZE = 18, 14  # of letters [px]
BAR = 52, 20  # top of the bar and its height [px]
NOTE_TOP = 82  # [px]
VALUE_WIDTH = 70  # of the number beside the bar [px]
COLOR_PAUSE = '#7b8794'


def film_frames(
    images: Iterable[tuple[float, np.ndarray]], judged: Sequence[Judgement]
) -> Iterator[np.ndarray]:
    """Yield a frame, uint8 RGB (SIDE + STRIP, SIDE, 3), for each image with its stamp [s].

    Images before the first attempt are left out.
    """
    starts = [one.attempt.began for one in judged]
    for time, image in images:
        number = bisect_right(starts, time)
        if number == 0:
            continue
        picture = Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
        strip = _strip(judged[number - 1], number, len(judged), time)
        yield np.concatenate([np.asarray(picture), np.asarray(strip)])


def _strip(one: Judgement, number: int, count: int, time: float) -> Image.Image:
    strip = Image.new('RGB', (SIDE, STRIP), 'white')
    pen = ImageDraw.Draw(strip)
    since = time - one.attempt.began
    place = f'{number} of {count}'
    pause = SIDE - MARGIN - measured(place, NOTE_SIZE)
    draw(pen, (pause, 15), place, NOTE_SIZE, COLOR_PAUSE)
    for line in wrapped(one.attempt.task, TASK_SIZE, pause - 2 * MARGIN):
        draw(pen, (MARGIN, 12), line, TASK_SIZE, COLOR_TEXT)
    is_detected = one.detected is not None and since >= one.detected
    known = [
        progress
        for at, progress in zip(one.times, one.progress, strict=True)
        if at <= since and not math.isnan(progress)
    ]
    _draw_bar(pen, known[-1] if known else None, COLOR_SUCCESS if is_detected else COLOR_PROGRESS)
    text, color = 'live progress', COLOR_PAUSE
    if is_detected:
        text, color = f'success detected after {one.detected:.1f} s', COLOR_SUCCESS
    if not one.attempt.has(time):
        text = f'{text if is_detected else "no success"}; home motion, scene reset'
    draw(pen, (MARGIN, NOTE_TOP), text, NOTE_SIZE, color)
    return strip


def _draw_bar(pen: ImageDraw.ImageDraw, progress: float | None, color: str) -> None:
    top, height = BAR
    right = SIDE - MARGIN - VALUE_WIDTH
    pen.rounded_rectangle((MARGIN, top, right, top + height), 5, fill=COLOR_GRID)
    if progress is None:
        return
    filled = MARGIN + round((right - MARGIN) * min(max(progress, 0.0), 1.0))
    if filled > MARGIN:
        pen.rounded_rectangle((MARGIN, top, max(filled, MARGIN + 10), top + height), 5, fill=color)
    value = f'{100 * progress:.0f} %'
    draw(pen, (SIDE - MARGIN - measured(value, TASK_SIZE), top - 2), value, TASK_SIZE, color)
