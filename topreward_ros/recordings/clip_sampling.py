# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Sample a clip's frames as the node samples a camera's."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np

from topreward_ros.errors import FrameError
from topreward_ros.scoring.sampling import NANOSECONDS, FrameWindow, Sample, Verdict

from .clip import Clip, ClipError, Picture

NO_GAP = 1e6  # a recording is one episode, however long its pauses [s]


def sampled(
    clip: Clip, window: FrameWindow, *, to_the_end: bool = False
) -> Iterator[tuple[float, Sample, np.ndarray]]:
    """Yield the sampled frames: their time [s], their place in the window, and the image.

    to_the_end adds the last frame where the grid has no point for it. Images that cannot be decoded
    are ignored, as in the node. Raises ClipError where the times do not rise.
    """
    rest: tuple[float, int, Picture] | None = None  # the newest frame, if it was skipped
    newest = -1  # stamp of all so far [ns]
    for time, picture in clip.undecoded():
        stamp = round(time * NANOSECONDS)
        verdict = window.judge(stamp)
        if verdict is Verdict.KEEP:
            try:
                image = picture()
            except FrameError:
                continue
            rest = None
            yield time, window.take(stamp), image
        elif verdict is Verdict.SKIP:
            window.skip(stamp)
            rest = (time, stamp, picture) if stamp > newest else rest
        else:
            raise ClipError(f'{clip.name} {verdict.value} at {time:.3f} s: its times do not rise')
        newest = max(newest, stamp)
    if to_the_end and rest is not None:
        time, stamp, picture = rest
        with contextlib.suppress(FrameError):
            image = picture()
            yield time, window.take_last(stamp), image
