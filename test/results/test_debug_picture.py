# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The debug picture: the camera's picture is whole, and what is below is read back from pixels."""

from __future__ import annotations

import math

import numpy as np
import pytest

from topreward_ros.results.debug_picture import LEAST, MOST, Judgement, debug_picture

LONG = 'Put the green block, the red block and then the blue block into the left basket. ' * 12


def picture(height: int = 480, width: int = 640) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 200, (height, width, 3), dtype=np.uint8)


def judged(progress: float, is_success: bool = False, task: str = 'Close it.') -> np.ndarray:
    note = 'episode 1, 7 frames  ' + ('success' if is_success else 'unfinished')
    return debug_picture(picture(), Judgement(task, progress, note, is_success))[480:]


def colored(strip: np.ndarray, of: str) -> np.ndarray:
    """Return a mask of the orange or the green pixels."""
    red, green, blue = (strip[..., k].astype(int) for k in range(3))
    if of == 'orange':
        return (red - blue > 90) & (red - green > 50)
    return (green - red > 50) & (green - blue > 30)


def bar(strip: np.ndarray, of: str = 'orange') -> int:
    """Return the length of the bar [px]: the longest row of its color, left of the number."""
    return int(colored(strip, of)[:, : strip.shape[1] - 60].sum(axis=1).max())


def test_the_camera_s_picture_is_not_touched() -> None:
    drawn = debug_picture(picture(), Judgement('Close it.', 0.5, 'episode 1'))
    assert drawn.dtype == np.uint8 and drawn.shape[1:] == (640, 3)
    assert np.array_equal(drawn[:480], picture())


def test_the_bar_is_as_long_as_progress() -> None:
    none, half, whole = (bar(judged(progress)) for progress in (0.0, 0.5, 1.0))
    assert none < 10 and whole > 540
    assert half == pytest.approx(whole / 2, abs=3)
    assert bar(judged(7.5)) == whole and bar(judged(-1.0)) == none


def test_unknown_progress_has_no_bar() -> None:
    assert not colored(judged(math.nan), 'orange').any()
    assert (judged(math.nan) < 90).any(), 'task and note are there'


def test_success_is_seen() -> None:
    assert bar(judged(0.9, is_success=True), 'green') > 450
    assert not colored(judged(0.9, is_success=True), 'orange').any()
    assert not colored(judged(0.9), 'green').any()


@pytest.mark.parametrize('width', [200, 640, 1280, 3000])
@pytest.mark.parametrize('task', ['x', LONG, 'W' * 1000, 'Räume auf, schließe gjpqy(}|'])
def test_no_letter_is_cut_off(width: int, task: str) -> None:
    """There is white at all edges of the strip."""
    drawn = debug_picture(picture(120, width), Judgement(task, 1.0, LONG, True))
    strip = drawn[min(120, math.ceil(120 * MOST / width)) :]
    for edge in (strip[0], strip[-1], strip[:, 0], strip[:, -1]):
        assert (edge == 255).all()


@pytest.mark.parametrize(
    'size', [(1, 1), (1, 200), (200, 1), (48, 64), (3000, 4000), (10, 2000), (2000, 10)]
)
@pytest.mark.parametrize('task', ['', '\n\t', '\u202eabc\x00\x1b[2J', '把积木放进碗里', '\ud800'])
def test_any_size_and_any_task(size: tuple[int, int], task: str) -> None:
    drawn = debug_picture(picture(*size), Judgement(task, 0.3, 'episode 1'))
    assert drawn.ndim == 3 and drawn.dtype == np.uint8
    assert LEAST <= drawn.shape[1] <= MOST and drawn.shape[0] <= MOST + 300
