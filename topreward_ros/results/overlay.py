# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Write a video with the progress curve drawn below the images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from topreward_ros.recordings.clip import Clip
from topreward_ros.recordings.recording import Recording

from .lettering import draw, wrapped
from .output import Output
from .plot import COLOR_PROGRESS, COLOR_TEXT
from .score_table import Row
from .video import write_video

COLOR_BACKGROUND, COLOR_GRID = '#ffffff', '#dfe5ea'


class OverlayOutput(Output):
    """Writes `overlay.mp4` into a recording's folder."""

    recording_files = ('overlay.mp4',)

    def write_recording(self, folder: Path, recording: Recording, rows: Sequence[Row]) -> None:
        file = folder / 'overlay.mp4'
        if not file.exists():
            write_overlay(file, recording.clip, rows)


def write_overlay(file: Path, clip: Clip, rows: Sequence[Row]) -> None:
    """Write the clip with a strip below: the task, the curve so far and the newest progress.

    The MP4 has the clip's own rate and appears when it is complete.
    """
    write_video(file, _frames(clip, rows), clip.fps)


def _frames(clip: Clip, rows: Sequence[Row]) -> Iterator[np.ndarray]:
    strip: _Strip | None = None
    for time, image in clip.frames():
        if strip is None:
            height, width = image.shape[:2]
            strip = _Strip(width, height, clip.seconds, rows)
        if image.shape[:2] != (height, width):  # resized to the first, as when it is scored
            image = np.asarray(Image.fromarray(image).resize((width, height)))  # noqa: PLW2901
        yield np.concatenate([image, strip.draw(time)])


class _Strip:
    """The strip below the images; all sizes in pixels."""

    def __init__(self, width: int, height: int, seconds: float, rows: Sequence[Row]) -> None:
        self._rows = rows
        self._seconds = max(seconds, 1e-9)
        self._unit = unit = max(min(height // 60, width // 40), 3)
        self._size = 3 * unit  # of letters
        self._box = (2 * unit, 6 * unit, width - 13 * unit, 18 * unit)  # of the curve
        self._background = self._draw_background(width, 20 * unit, rows[-1].task if rows else '')

    def _draw_background(self, width: int, height: int, task: str) -> Image.Image:
        background = Image.new('RGB', (width, height), COLOR_BACKGROUND)
        pen = ImageDraw.Draw(background)
        left, _, right, _ = self._box
        for level in (0.0, 0.5, 1.0):
            y = self._y(level)
            pen.line([(left, y), (right, y)], fill=COLOR_GRID, width=max(1, self._unit // 4))
        for line in wrapped(task, self._size, width - 4 * self._unit):
            draw(pen, (2 * self._unit, self._unit), line, self._size, COLOR_TEXT)
        return background

    def draw(self, time: float) -> np.ndarray:
        """Return the strip at this time [s], uint8 RGB (H, W, 3)."""
        strip = self._background.copy()
        pen = ImageDraw.Draw(strip)
        so_far = [row for row in self._rows if row.time <= time + 1e-6]
        known = [row for row in so_far if not np.isnan(row.progress)]
        points = [(self._x(row.time), self._y(row.progress)) for row in known]
        right, middle = self._box[2] + 2 * self._unit, self._y(0.5) - 2 * self._unit
        if not points:
            draw(pen, (right, middle), 'flat' if so_far else '', self._size, COLOR_TEXT)
            return np.asarray(strip)
        # The newest value holds until the next score
        points.append((max(self._x(time), points[-1][0]), points[-1][1]))
        pen.line(points, fill=COLOR_PROGRESS, width=max(2, self._unit // 2), joint='curve')
        x, y, radius = *points[-1], self._unit
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=COLOR_PROGRESS)
        value = f'{100 * known[-1].progress:.0f} %'
        draw(pen, (right, middle), value, self._size, COLOR_PROGRESS)
        return np.asarray(strip)

    def _x(self, time: float) -> float:
        left, _, right, _ = self._box
        return left + (right - left) * min(time / self._seconds, 1.0)

    def _y(self, progress: float) -> float:
        _, top, _, bottom = self._box
        return bottom - (bottom - top) * progress
