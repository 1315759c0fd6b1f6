# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""True progress from the keyframes of subtasks, as Robo-Dopamine annotates its episodes.

    [{"anotation": "subtask1", "start_frame_id": 8, "end_frame_id": 147}, ...]

Subtasks are of equal worth, as in Robo-Dopamine: progress is the number of those that are done over
their number. Within a subtask it rises linearly, between two and outside it stands still.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from topreward_ros.json_files import read_json

from .clip import Clip, ClipError

START, END = 'start_frame_id', 'end_frame_id'
MOST_POINTS = 100_000  # of the true progress of a recording
EXPECTED = f'expected [{{"{START}": 8, "{END}": 147}}, ...], each after the one before'

Subtask = tuple[int, int]  # its first and its last frame, counted from 0


def read_keyframes(file: Path) -> list[Subtask]:
    """Read a file of keyframes; raises ClipError for one that is missing or of another form."""
    try:
        content = read_json(file)
    except (OSError, ValueError) as error:
        raise ClipError(f'{file} cannot be read ({error}): {EXPECTED}') from error
    return parse_keyframes(content, str(file))


def parse_keyframes(content: Any, name: str) -> list[Subtask]:
    """Return the subtasks in the content of such a file; raises ClipError."""
    try:
        subtasks = [(each[START], each[END]) for each in content]
    except (LookupError, TypeError) as error:
        raise ClipError(f'{name} is not as expected ({error!r}): {EXPECTED}') from error
    if not subtasks:
        raise ClipError(f'{name} has no subtask: {EXPECTED}')
    for frame in itertools.chain(*subtasks):
        if type(frame) is not int or frame < 0:
            raise ClipError(f'{name}: {frame!r} is not the number of a frame: {EXPECTED}')
    frames = list(itertools.chain(*subtasks))
    for k, (first, second) in enumerate(itertools.pairwise(frames)):
        # A subtask may begin with the frame that ends the one before
        if second < first or (k % 2 == 0 and second == first):
            raise ClipError(f'{name}: frame {second} does not come after {first}: {EXPECTED}')
    return subtasks


def keyframe_progress(subtasks: Sequence[Subtask], clip: Clip, name: str) -> np.ndarray:
    """Return the progress at evenly spaced times from the clip's beginning to its end, (n,).

    There is a point for each frame of the clip at its own rate, and one for its end. Raises
    ClipError for a keyframe that the clip does not have.
    """
    count = round(clip.seconds * clip.fps)
    last = subtasks[-1][1]
    if not last <= count <= MOST_POINTS:
        raise ClipError(
            f'{name} names frame {last}, and {clip.name} has {count} frames: expected keyframes of '
            f'this recording, of at most {MOST_POINTS} frames'
        )
    frames = np.array(list(itertools.chain(*subtasks)), dtype=np.float64)
    done = np.repeat(np.arange(len(subtasks) + 1), 2)[1:-1] / len(subtasks)
    return np.interp(np.arange(count + 1), frames, done)
