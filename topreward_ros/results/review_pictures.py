# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A strip of a few frames of a recording, as a person sees them on the review page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from topreward_ros.files import whole_file
from topreward_ros.recordings.clip import Clip, ClipError
from topreward_ros.recordings.recording import Recording

from .output import Output
from .score_table import Row

STRIP_FILE = 'review.jpg'
FRAMES, HEIGHT, GAP = 6, 132, 3  # height and gap [px]
MOST_WIDTH = 240  # of a frame [px]
QUALITY = 72


class StripOutput(Output):
    """Writes `review.jpg` into a recording's folder, unless it is there."""

    recording_files = (STRIP_FILE,)

    def write_recording(self, folder: Path, recording: Recording, rows: Sequence[Row]) -> None:
        file = folder / STRIP_FILE
        if not file.exists():
            write_strip(file, recording.clip)


def write_strip(file: Path, clip: Clip) -> None:
    """Write frames at even times, the first and the last among them, side by side as JPEG.

    Raises ClipError for a clip without frames.
    """
    times = np.linspace(0, max(clip.seconds - 1 / clip.fps, 0), FRAMES)
    frames = [_shrunk(frame) for frame in clip.at([float(time) for time in times])]
    if not frames:
        raise ClipError(f'{clip.name} has no frames')
    width = sum(frame.width for frame in frames) + GAP * (len(frames) - 1)
    strip = Image.new('RGB', (width, HEIGHT), 'white')
    left = 0
    for frame in frames:
        strip.paste(frame, (left, (HEIGHT - frame.height) // 2))
        left += frame.width + GAP
    with whole_file(file) as part:
        strip.save(part, 'jpeg', quality=QUALITY, optimize=True)


def _shrunk(frame: np.ndarray) -> Image.Image:
    height, width = frame.shape[:2]
    scale = min(HEIGHT / height, MOST_WIDTH / width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return Image.fromarray(frame).resize(size, Image.Resampling.LANCZOS)
