# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Plot many attempts as a grid: first and last image above, published progress below."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from topreward_ros.results.lettering import POINTS, wrapped
from topreward_ros.results.plot import (
    COLOR_FAILURE,
    COLOR_GRID,
    COLOR_PROGRESS,
    COLOR_SUCCESS,
    COLOR_TEXT,
    drawn,
    save_png,
)

from ..plot import COLOR_TRUTH
from .attempts import NAMES, Judgement

COLUMNS = 5
CELL = 2.75, 3.2  # width and height of an attempt [in]
LEFT, RIGHT, TOP, BOTTOM = 0.6, 0.15, 0.95, 0.78  # margins [in]
LEAST_WIDTH = 4.8  # for the legend [in]
TITLE_SIZE, TASK_SIZE, NOTE_SIZE = 13.0, 9.0, 8.0  # of letters [pt]
GAP = 0.03  # between the two images, in sides of one
DPI = 120


def plot_attempts(file: Path, judged: Sequence[Judgement], title: str) -> None:
    """Plot the attempts as PNG below a title; the file appears when it is complete."""
    from matplotlib.figure import Figure

    columns = min(COLUMNS, len(judged))
    rows = -(-len(judged) // columns)
    width = max(columns * CELL[0] + LEFT + RIGHT, LEAST_WIDTH)
    height = rows * CELL[1] + TOP + BOTTOM
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor='white')
    grid = figure.add_gridspec(
        rows,
        columns,
        left=LEFT / width,
        right=1 - RIGHT / width,
        top=1 - TOP / height,
        bottom=BOTTOM / height,
        hspace=0.32,
        wspace=0.1,
    )
    end = max(_end(one) for one in judged)
    for k, one in enumerate(judged):
        cell = grid[k // columns, k % columns].subgridspec(2, 1, height_ratios=(1, 1), hspace=0.06)
        pictures, curve = figure.add_subplot(cell[0]), figure.add_subplot(cell[1])
        _draw_pictures(pictures, k + 1, one)
        _draw_curve(curve, one, end)
        curve.tick_params(labelleft=k % columns == 0, labelbottom=k + columns >= len(judged))
        if k % columns == 0:
            curve.set_ylabel('progress', color=COLOR_TEXT, fontsize=NOTE_SIZE)
        if k + columns >= len(judged):
            curve.set_xlabel('time [s]', color=COLOR_TEXT, fontsize=NOTE_SIZE)
    text, font = drawn(wrapped(title, TITLE_SIZE, 0.95 * (width - LEFT) * POINTS, 2))
    place = {'x': LEFT / width, 'y': 1 - 0.12 / height, 'ha': 'left', 'va': 'top'}
    figure.suptitle(text, size=TITLE_SIZE, color=COLOR_TEXT, **place, **font)
    _draw_legend(figure, LEFT / width, 0.12 / height)
    save_png(figure, file)


def _end(one: Judgement) -> float:
    """Return how long an attempt took, as far as it is known [s]."""
    times = [moment.time - one.attempt.began for moment in _truth(one)]
    return max([1.0, *times, *one.times])


def _truth(one: Judgement) -> list[Any]:
    return [moment for moment in one.attempt.truth if moment.time <= one.attempt.stopped]


def _draw_pictures(axes: Any, number: int, one: Judgement) -> None:
    attempt = one.attempt
    shown = [picture for picture in (attempt.first, attempt.last) if picture is not None]
    for k, picture in enumerate(shown):
        left = k * (1 + GAP)
        axes.imshow(picture, extent=(left, left + 1, 0, 1), interpolation='lanczos')
    axes.set_xlim(0, 2 + GAP)
    axes.set_ylim(0, 1)
    axes.set_anchor('S')
    axes.set_axis_off()
    room = 0.93 * CELL[0] * POINTS
    task, font = drawn(wrapped(f'{number}. {attempt.task}', TASK_SIZE, room))
    axes.text(0, 1.22, task, size=TASK_SIZE, color=COLOR_TEXT, va='bottom', **font)
    color = COLOR_SUCCESS if one.was_done else COLOR_FAILURE
    note = {'y': 1.05, 'size': NOTE_SIZE, 'va': 'bottom'}
    axes.text(0, s=_outcome(one), color=color, **note)
    if not one.is_right:
        box = {'facecolor': COLOR_FAILURE, 'edgecolor': 'none', 'pad': 1.5}
        axes.text(2 + GAP, s='judged wrongly', color='white', ha='right', bbox=box, **note)


def _outcome(one: Judgement) -> str:
    """Return what became of an attempt, by the truth."""
    is_meant = one.attempt.kind == 'success'
    if one.was_done:
        return 'success' if is_meant else 'success, before it was undone'
    return 'failure: ended early' if is_meant else f'failure: {NAMES[one.attempt.kind]}'


def _draw_curve(axes: Any, one: Judgement, end: float) -> None:
    truth = _truth(one)
    axes.plot(
        [moment.time - one.attempt.began for moment in truth],
        [moment.progress for moment in truth],
        color=COLOR_TRUTH,
        linewidth=1.2,
        linestyle='--',
    )
    axes.plot(one.times, one.progress, color=COLOR_PROGRESS, linewidth=1.8)
    if one.detected is not None:
        axes.axvline(one.detected, color=COLOR_SUCCESS, linewidth=1.5)
        is_late = one.detected > 0.6 * end
        axes.text(
            one.detected,
            0.04,
            'success ' if is_late else ' success',
            color=COLOR_SUCCESS,
            fontsize=NOTE_SIZE,
            ha='right' if is_late else 'left',
        )
    axes.set_ylim(-0.04, 1.08)
    axes.set_xlim(0, end)
    axes.grid(color=COLOR_GRID, linewidth=0.8)
    axes.spines[['top', 'right']].set_visible(False)
    axes.tick_params(colors=COLOR_TEXT, labelsize=7.5)
    axes.set_yticks(np.array([0, 0.5, 1]))


def _draw_legend(figure: Any, left: float, bottom: float) -> None:
    from matplotlib.lines import Line2D

    lines = [
        Line2D([], [], color=COLOR_TRUTH, linewidth=1.2, linestyle='--', label='true progress'),
        Line2D([], [], color=COLOR_PROGRESS, linewidth=1.8, label='published live'),
        Line2D([], [], color=COLOR_SUCCESS, linewidth=1.5, label='success detected'),
    ]
    figure.legend(
        handles=lines,
        loc='lower left',
        bbox_to_anchor=(left, bottom),
        ncols=len(lines),
        frameon=False,
        fontsize=NOTE_SIZE,
        borderaxespad=0,
    )
